// What the dashboard uses of uPlot.
export interface Plot {
  width: number;
  data: number[][];
  cursor: { idx: number | null | undefined };
  select: { left: number; width: number };
  setSize(size: { width: number; height: number }): void;
  setData(data: any): void;
  destroy(): void;
  valToPos(value: number, scale: string): number;
  posToVal(position: number, scale: string): number;
}
declare const uPlot: {
  new (options: any, data: any, target: Element): Plot;
  paths: { bars(options: { size?: number[]; radius?: number }): any; spline(): any };
};
export default uPlot;
