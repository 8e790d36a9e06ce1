// What the dashboard uses of preact.
export function createElement(type: any, props: any, ...children: any[]): any;
export function render(node: any, parent: Element | null): void;
export const Fragment: any;
