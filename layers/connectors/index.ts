import type { ConnectorOptions, Connectors } from '../core/connector.ts'
import { WaybillError } from '../core/errors.ts'
import { copyFromFiles } from './duckdb/copy.ts'
import type { FileFormat } from './duckdb/relation.ts'
import { openFileRows } from './duckdb/rows.ts'
import { openFileSide } from './duckdb/side.ts'
import { openFileSource } from './duckdb/source.ts'
import { openChecker } from './postgres/checker.ts'
import { copyFromPostgres } from './postgres/copy.ts'
import { openReconciler } from './postgres/reconciler.ts'
import { type CheckSide, openPostgresSide } from './postgres/side.ts'
import { openPostgresSource } from './postgres/source.ts'
import { openPostgresTarget } from './postgres/target.ts'
import { underTls } from './postgres/tls.ts'

type End = { systemType: string; url: string }

/** Every system Waybill can talk to, by its type: POSTGRESQL on both sides, PARQUET, CSV and JSON as a source. */
export const connectors: Connectors = {
  async source(systemType, url, options) {
    if (systemType !== 'POSTGRESQL') return openFileSource(fileFormat(systemType), url)
    return openPostgresSource(underTls(url, options.tls, options.side ?? 'source'), options)
  },

  async target(systemType, url, source, options) {
    onlyPostgres(systemType)
    const copyRows =
      source.systemType === 'POSTGRESQL'
        ? copyFromPostgres(underTls(source.url, options.tls, 'source'), options)
        : copyFromFiles(fileFormat(source.systemType), source.url, options)
    return openPostgresTarget(underTls(url, options.tls, 'target'), copyRows, options)
  },

  async reconciler(source, target, options) {
    onlyPostgres(target.systemType)
    const to = { ...target, url: underTls(target.url, options.tls, 'target') }
    if (source.systemType === 'POSTGRESQL') {
      return openReconciler({ ...source, url: underTls(source.url, options.tls, 'source') }, to, options)
    }
    const rows = await openFileRows(fileFormat(source.systemType), source.url)
    return openReconciler({ systemType: source.systemType, rows }, to, options)
  },

  async checker(source, target, options) {
    onlyPostgres(target.systemType)
    const to = underTls(target.url, options.tls, 'target')
    const from = await checkSide(source, options)
    try {
      return openChecker(from, await openPostgresSide(to, 'target', options))
    } catch (error) {
      await from.close()
      throw error
    }
  },
}

function checkSide(source: End, options: ConnectorOptions): Promise<CheckSide> {
  if (source.systemType === 'POSTGRESQL') return openPostgresSide(underTls(source.url, options.tls, 'source'), 'source', options)
  return openFileSide(fileFormat(source.systemType), source.url)
}

function fileFormat(systemType: string): FileFormat {
  if (systemType === 'PARQUET' || systemType === 'CSV' || systemType === 'JSON') return systemType
  throw new WaybillError(
    'BAD_INPUT',
    `There is no connector for ${JSON.stringify(systemType.slice(0, 40))}. Use POSTGRESQL, PARQUET, CSV or JSON.`,
  )
}

function onlyPostgres(systemType: string): void {
  if (systemType === 'POSTGRESQL') return
  throw new WaybillError('BAD_INPUT', `A target of type ${JSON.stringify(systemType.slice(0, 40))} cannot be written. Use POSTGRESQL.`)
}
