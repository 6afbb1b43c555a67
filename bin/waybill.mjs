#!/usr/bin/env node
import { join } from 'node:path'
import { become, ensureDependencies, root } from './setup.mjs'

ensureDependencies()
become('node', [join(root, 'cli/main.ts'), ...process.argv.slice(2)])
