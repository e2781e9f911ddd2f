/** A part of an SVG drawing, or a whole one, as text. */
export type Svg = string;

export type Attributes = Readonly<Record<string, string | number>>;

/** An element with escaped attributes; its children are SVG already. */
export function element(name: string, attributes: Attributes, ...children: readonly Svg[]): Svg {
  const attributeText = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${escaped(formatted(value))}"`,
  );
  const start = `<${name}${attributeText.join('')}`;
  return children.length === 0 ? `${start}/>` : `${start}>${children.join('\n')}</${name}>`;
}

/** A text element; the content is escaped. */
export function text(content: string, attributes: Attributes): Svg {
  return element('text', attributes, escaped(content));
}

/** A straight line from one point to another. */
export function line(x1: number, y1: number, x2: number, y2: number, attributes: Attributes): Svg {
  return element('line', { x1, y1, x2, y2, ...attributes });
}

export type Drawing = {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** Read out by screen readers. */
  readonly description: string;
};

/** A whole SVG file, on a white background whatever the page's background is. */
export function drawing({ width, height, title, description }: Drawing, ...children: readonly Svg[]): Svg {
  const root = element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-labelledby': 'title description',
      'font-family': "system-ui, 'Segoe UI', 'Liberation Sans', Arial, sans-serif",
      'font-size': 13,
      fill: ink,
    },
    element('title', { id: 'title' }, escaped(title)),
    element('desc', { id: 'description' }, escaped(description)),
    element('rect', { width, height, fill: '#ffffff' }),
    ...children,
  );
  return `${root}\n`;
}

/** The colors of text and axes, and of grid lines. */
export const ink = '#1f2328';
export const faint = '#d0d7de';

function formatted(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
