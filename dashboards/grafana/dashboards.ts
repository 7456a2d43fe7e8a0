import { CAPACITY } from './capacity.ts';
import { buildDashboard, type DashboardSpec } from './dashboard.ts';
import { OPERATOR } from './operator.ts';
import { ORDER_PIPELINE } from './order-pipeline.ts';
import { SALE_LIVE } from './sale-live.ts';
import { STOCK_ACCURACY } from './stock-accuracy.ts';

/** All dashboards, in the order in which people need them. */
export const DASHBOARDS: readonly DashboardSpec[] = [SALE_LIVE, STOCK_ACCURACY, ORDER_PIPELINE, OPERATOR, CAPACITY];

/** The dashboard as Grafana reads it. */
export function renderDashboard(spec: DashboardSpec): string {
  return `${JSON.stringify(buildDashboard(spec), null, 2)}\n`;
}
