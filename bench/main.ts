/** `npm run bench`: ratios measured in one run; the main job in bench/results.md, the engine alone in bench/recon-results.md, evidence and audit in bench/evidence-results.md. */
import { writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { pipelineRows } from './pipeline.ts'

const wanted = process.argv.indexOf('--rows')
const rows = wanted === -1 ? null : Number(process.argv[wanted + 1])
if (rows !== null && !Number.isInteger(rows)) throw new Error('--rows takes a whole number')

const measured = await pipelineRows(rows)
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
