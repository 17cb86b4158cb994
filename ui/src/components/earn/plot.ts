// Bars per day on uPlot: it does scales, axes and grid, the bars are drawn by hand, since every bar has its own look
// (today in ember, days before dimmer, what is not settled yet as a dashed outline on top).
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { EarningDay } from '$lib/api/generated';
import { localeTag } from '$lib/format/locale';
import { forChart } from '$lib/format/money';

const LEAST_HEIGHT = 232;
const WIDEST_BAR = 34;

export class DayPlot {
  private plot: uPlot | null = null;
  private days: EarningDay[] = [];
  private labels: string[] = [];
  private readonly resized: ResizeObserver;
  private readonly themed: MutationObserver;
  private readonly scheme = matchMedia('(prefers-color-scheme: dark)');
  private readonly redraw = () => this.build();

  constructor(private readonly box: HTMLElement) {
    this.resized = new ResizeObserver(() => {
      const { width, height } = this.size();
      if (this.plot && width > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
    });
    this.resized.observe(box);
    this.themed = new MutationObserver(this.redraw);
    this.themed.observe(document.documentElement, { attributeFilter: ['data-theme', 'data-contrast'] });
    this.scheme.addEventListener('change', this.redraw);
  }

  set(days: EarningDay[], labels: string[]): void {
    this.days = days;
    this.labels = labels;
    this.build();
  }

  destroy(): void {
    this.resized.disconnect();
    this.themed.disconnect();
    this.scheme.removeEventListener('change', this.redraw);
    this.plot?.destroy();
  }

  private size(): { width: number; height: number } {
    return { width: this.box.clientWidth, height: Math.max(LEAST_HEIGHT, this.box.clientHeight) };
  }

  private data(): uPlot.AlignedData {
    const settled = this.days.map((day) => forChart(day.settled));
    const top = this.days.map((day, at) => (settled[at] ?? 0) + forChart(day.unsettled));
    return [this.days.map((_, at) => at), settled, top];
  }

  private build(): void {
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), this.data(), this.box);
  }

  private options(): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const font = '500 11px "Inter Variable", system-ui, sans-serif';
    const number = new Intl.NumberFormat(localeTag(), { maximumSignificantDigits: 3 });
    const axis = { font, stroke: colour('--text-3'), ticks: { show: false } };
    const every = Math.max(1, Math.ceil((this.days.length * 52) / Math.max(320, this.box.clientWidth)));
    const last = this.days.length - 1;
    return {
      width: Math.max(200, this.size().width),
      height: this.size().height,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: () => [-0.5, last + 0.5] },
        y: { range: (_, __, max) => [0, niceTop(max ?? 0)] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 26,
          splits: () => this.days.map((_, at) => at).filter((at) => (last - at) % every === 0),
          values: (_, splits) => splits.map((at) => this.labels[at] ?? ''),
        },
        {
          ...axis,
          size: 54,
          grid: { stroke: colour('--line'), width: 1 },
          splits: (_, __, ___, max) => [0, 1, 2, 3, 4].map((step) => (max * step) / 4),
          values: (_, splits) => splits.map((value) => number.format(value)),
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }, { paths: () => null, points: { show: false } }],
      hooks: { draw: [(plot) => drawBars(plot, colour)] },
    };
  }
}

/** The next of 1, 2, 4, 8 … times a power of ten, so that quarter lines are round numbers. */
export function niceTop(max: number): number {
  if (!(max > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  for (const step of [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10]) if (step * power >= max * 1.04) return step * power;
  return 20 * power;
}

function drawBars(plot: uPlot, colour: (name: string) => string): void {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  const [at, settled, top] = plot.data;
  const slot = plot.bbox.width / at.length;
  const width = Math.min(WIDEST_BAR * ratio, slot * 0.62);
  const zero = plot.valToPos(0, 'y', true);
  ctx.save();
  for (const index of at) {
    const x = plot.valToPos(index, 'x', true) - width / 2;
    const value = settled?.[index] ?? 0;
    const whole = top?.[index] ?? 0;
    const today = index === at.length - 1;
    const y = plot.valToPos(value, 'y', true);
    if (value > 0) {
      const radius = Math.min(3 * ratio, zero - y);
      ctx.beginPath();
      ctx.roundRect(x, y, width, zero - y, [radius, radius, 0, 0]);
      // The surface below first: the grid must not shine through.
      ctx.fillStyle = colour('--surface');
      ctx.fill();
      ctx.globalAlpha = today ? 1 : 0.78;
      ctx.fillStyle = colour('--ember-fill');
      ctx.fill();
      ctx.globalAlpha = 1;
    } else {
      // A day without money is still a day: the zero line shows it.
      ctx.fillStyle = colour('--line-strong');
      ctx.fillRect(x, zero - 2 * ratio, width, 2 * ratio);
    }
    if (whole > value) {
      const upper = plot.valToPos(whole, 'y', true);
      ctx.strokeStyle = colour('--line-strong');
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([3 * ratio, 2.5 * ratio]);
      ctx.strokeRect(x + ratio, upper, width - 2 * ratio, Math.max(3 * ratio, y - upper - 2 * ratio));
      ctx.setLineDash([]);
    }
  }
  ctx.restore();
}
