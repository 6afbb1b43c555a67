import { Command } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'
import { jsonSchemas } from '../../layers/core/json-schemas.ts'
import type { Terminal } from '../terminal.ts'

export function schemaCommand(terminal: Terminal): Command {
  return new Command('schema')
    .description('print a published JSON Schema, for editors and other tools; without a name, list them')
    .argument('[name]', 'for example migration-spec')
    .option('--json', 'the list as JSON (a schema is always JSON)')
    .addHelpText('after', '\nExample:\n  waybill schema migration-spec > migration-spec.schema.json')
    .action((name: string | undefined, options: { json?: boolean }) => {
      const schemas = jsonSchemas()
      const names = Object.keys(schemas).sort()
      if (name === undefined) {
        terminal.out(options.json ? JSON.stringify(names, null, 2) : names.join('\n'))
        return
      }
      const schema = schemas[name]
      if (schema === undefined) throw new WaybillError('BAD_INPUT', `There is no schema named "${name}". Known: ${names.join(', ')}.`)
      terminal.out(JSON.stringify(schema, null, 2))
    })
}
