/**
 * Inside the image's build. `demand <image>` refuses a base without a digest and writes `out/package.json` with DuckDB at the version of the lock file;
 * `compare` refuses what npm then fetched when its integrity is not the lock file's.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const DUCKDB = '@duckdb/node-api'
const read = (path) => JSON.parse(readFileSync(path, 'utf8'))
const locked = read('package-lock.json').packages
const refuse = (text) => {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}

const [act, image = ''] = process.argv.slice(2)
if (act === 'demand') {
  if (!/@sha256:[0-9a-f]{64}$/.test(image))
    refuse(
      `NODE_IMAGE names its bytes: "${image}" has no digest. Pass --build-arg NODE_IMAGE=<image>@sha256:<digest>; docs/deploy.md has the command.`,
    )
  mkdirSync('out')
  const { version } = locked[`node_modules/${DUCKDB}`]
  writeFileSync('out/package.json', JSON.stringify({ private: true, dependencies: { [DUCKDB]: version } }))
} else if (act === 'compare') {
  for (const [path, { integrity }] of Object.entries(read('out/package-lock.json').packages)) {
    // The lock file may lack other platforms' binaries: those are held by their exact version, which the package that is held by its bytes names.
    if (path !== '' && locked[path] !== undefined && locked[path].integrity !== integrity)
      refuse(`${path} is not what package-lock.json names.`)
  }
} else refuse('native.mjs demand <image> | compare')
