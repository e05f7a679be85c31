/** A graph this device cannot plan: says which operators, or what went against an assumption of the planner. */
export class PlanError extends Error {
  override readonly name = 'PlanError';
}
