// htm: templates that become calls of the function they are bound to.
interface Htm {
  bind(create: (type: any, props: any, ...children: any[]) => any): (strings: TemplateStringsArray, ...values: any[]) => any;
}
declare const htm: Htm;
export default htm;
