// Counters of what was loaded later: cached HTML that was made before is made again.
const versions = { math: 0 };
const listeners = new Set<() => void>();

export function tick(name: keyof typeof versions): void {
  versions[name] += 1;
  for (const listener of listeners) listener();
}

export const version = (): number => versions.math;

export function onVersion(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
