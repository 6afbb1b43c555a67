/** `npm run bench`: ratios measured in one run; the main job in bench/results.md, the engine alone in bench/recon-results.md, evidence and audit in bench/evidence-results.md. */
import { writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { numbersOf } from './options.ts'
import { pipelineRows } from './pipeline.ts'
import { synthRow } from './synth.ts'

const PARQUET = 'PostgreSQL against Parquet is measured by itself, in some minutes: node bench/parquet.ts'
const { rows } = numbersOf(
  `npm run bench [-- --rows N] [--rounds N]

  --rows N     flights to migrate, and the size of the engine's tables in proportion (3000000)
  --rounds N   how often the engine is measured (5)

Writes bench/results.md, bench/recon-results.md and bench/evidence-results.md.
${PARQUET}`,
  { rows: { fallback: 3_000_000, whole: true }, rounds: { fallback: 5, whole: true } },
)

const measured = [...(await pipelineRows(rows)), await synthRow()]
const text = `# Measured

${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}, PostgreSQL 18 on the same machine, ${new Date().toISOString().slice(0, 10)}.
Ratios hold between machines; seconds do not. \`npm run bench\` writes this file.

| what | measured | wanted |
|---|---|---|
${measured.map((row) => `| ${row.what} | ${row.measured} | ${row.target} |`).join('\n')}
`
await writeFile(new URL('results.md', import.meta.url), text)
process.stdout.write(text)
await import('./recon.ts')
await import('./evidence.ts')
process.stdout.write(`${PARQUET}\n`)
