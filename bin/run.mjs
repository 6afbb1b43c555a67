// node bin/run.mjs TOOL [ARG …]: a development tool, from the project's root, on the pinned Node.
import { become, ensureDependencies, root } from './setup.mjs'

ensureDependencies()
const [tool, ...args] = process.argv.slice(2)
become(tool, args, root)
