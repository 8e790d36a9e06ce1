// What the dashboard uses of preact's hooks. What begins as null may become anything.
type Clean = (() => void) | void;
type Set<T> = (value: T | ((old: T) => T)) => void;
type Inputs = readonly unknown[];
export function useState(initial: null): [any, Set<any>];
export function useState<T>(initial: T | (() => T)): [T, Set<T>];
export function useEffect(act: () => Clean, inputs?: Inputs): void;
export function useLayoutEffect(act: () => Clean, inputs?: Inputs): void;
export function useMemo<T>(make: () => T, inputs?: Inputs): T;
export function useCallback<F extends (...values: any[]) => any>(made: F, inputs?: Inputs): F;
export function useRef(initial: null): { current: any };
export function useRef<T>(initial: T): { current: T };
export function useId(): string;
