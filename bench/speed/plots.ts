import * as echarts from 'echarts';
import type { Measured } from './rounds.ts';
import type { GrowthRow } from './sections/growth.ts';

const [OURS, OTHERS, FULL] = ['#2f6f5e', '#b9b4a8', '#c8843c'];
const TEXT = { color: '#333', fontFamily: 'system-ui, sans-serif' };

/** Processor time of each operation, on a logarithmic scale, as SVG. */
export function serverPlot(measured: readonly Measured[]): string {
  const rows = [...measured].sort((a, b) => b.cpu.median - a.cpu.median);
  const isPeer = (name: string) => /echo|exponentiation|OPAQUE|WebAuthn|passport-local|SRP/.test(name);
  return draw(60 + 26 * rows.length, {
    title: { text: 'Server CPU per operation, microseconds', textStyle: { ...TEXT, fontSize: 15 }, left: 8 },
    grid: { left: 280, right: 70, top: 46, bottom: 28 },
    xAxis: { type: 'log', min: 100, axisLabel: TEXT },
    yAxis: {
      type: 'category',
      data: rows.map(({ name }) => name),
      axisLabel: TEXT,
      axisTick: { show: false },
    },
    series: [
      {
        type: 'bar',
        data: rows.map(({ name, cpu }) => ({
          value: Math.round(cpu.median),
          itemStyle: { color: isPeer(name) ? OTHERS : OURS },
        })),
        label: {
          ...TEXT,
          show: true,
          position: 'right',
          formatter: ({ value }) => Number(value).toLocaleString('en'),
        },
      },
    ],
  });
}

/** An unlock's latency with an empty store and with a full one, as SVG. */
export function growthPlot(rows: readonly GrowthRow[]): string {
  const label = ({ store, what, entries }: GrowthRow) =>
    `${store}\n${entries / 1000} k\n${what === 'disabled' ? 'disabled' : 'with failures'}`;
  const bars = (
    name: string,
    color: string | undefined,
    of: (row: GrowthRow) => number,
  ): echarts.BarSeriesOption => ({
    type: 'bar',
    name,
    data: rows.map(of),
    itemStyle: color === undefined ? {} : { color },
    label: { ...TEXT, show: true, position: 'top', formatter: ({ value }) => Number(value).toFixed(2) },
  });
  return draw(340, {
    title: {
      text: 'An unlock over one connection, milliseconds',
      textStyle: { ...TEXT, fontSize: 15 },
      left: 8,
    },
    legend: { right: 8, top: 4, textStyle: TEXT },
    grid: { left: 50, right: 20, top: 50, bottom: 60 },
    xAxis: {
      type: 'category',
      data: rows.map(label),
      axisLabel: { ...TEXT, interval: 0 },
      axisTick: { show: false },
    },
    yAxis: { type: 'value', axisLabel: TEXT },
    series: [
      bars('empty store', OTHERS, (row) => row.empty.median),
      bars('full store', FULL, (row) => row.full.median),
    ],
  });
}

function draw(height: number, option: echarts.EChartsOption): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 860, height });
  chart.setOption({ animation: false, backgroundColor: '#fff', ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}
