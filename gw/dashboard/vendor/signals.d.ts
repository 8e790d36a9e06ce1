// What the dashboard uses of preact's signals.
export interface Signal<T> {
  value: T;
}
export function signal<T>(initial: T): Signal<T>;
export function computed<T>(make: () => T): { readonly value: T };
export function effect(act: () => (() => void) | void): () => void;
export function batch<T>(act: () => T): T;
export function useSignal<T>(initial: T): Signal<T>;
export function useComputed<T>(make: () => T): { readonly value: T };
