import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Terminal } from '../terminal.ts'

const TEMPLATE = `# yaml-language-server: $schema=./migration-spec.schema.json
# The schema gives your editor completion: waybill schema migration-spec > migration-spec.schema.json
schema: waybill/migration-spec/v1
migration_id: my-migration
title: What is moved, in words an approver understands
author: you@example.com

source:
  system_type: POSTGRESQL
  connection:
    # Where the connection string is found; never the string itself.
    secret_ref: env://WAYBILL_SOURCE_URL
target:
  system_type: POSTGRESQL
  connection:
    secret_ref: env://WAYBILL_TARGET_URL

tables:
  - source: public.customers
    target: { schema: public, name: customers }
    # Without "columns", every source column is moved as it is.

# One person per role; all different, and none of them the author.
approvers:
  - { role: tech_lead, email: tech.lead@example.com }
  - { role: data_owner, email: data.owner@example.com }
  - { role: security, email: security@example.com }
  - { role: qa_lead, email: qa.lead@example.com }
  - { role: business_owner, email: business.owner@example.com }
  - { role: release_manager, email: release.manager@example.com }
`

export function initCommand(terminal: Terminal): Command {
  return new Command('init')
    .description('write a commented migration.yaml to start from')
    .argument('[file]', 'where to write it', 'migration.yaml')
    .option('--json', 'the result as JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      try {
        await writeFile(file, TEMPLATE, { flag: 'wx' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
          throw new WaybillError('ALREADY_EXISTS', `${file} exists and is left as it is. Name another file: waybill init other.yaml`)
        }
        throw new WaybillError('BAD_INPUT', `Cannot write ${file}: ${(error as Error).message}`)
      }
      if (options.json) terminal.out(JSON.stringify({ written: file }))
      else
        terminal.out(
          `Wrote ${file}. Next: set the tables and approvers, put the two connection strings in the environment, then\n  waybill run ${file}`,
        )
    })
}
