import type { ConnectorOptions, TlsDemands } from '../../layers/core/connector.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ConnectionReference, SystemType } from '../../layers/core/schemas/spec.ts'

/** What a spec and a plan both say about the two systems. */
export type Ends = {
  source: { system_type: SystemType; connection?: ConnectionReference | null | undefined }
  target: { system_type: SystemType; connection: ConnectionReference }
}
export type End = { systemType: SystemType; url: string }

const NEVER = new AbortController().signal

/** Resolves both ends' secrets. The texts stay in memory and go to connectors only. @throws SPEC_INVALID, NOT_FOUND, PERMISSION_DENIED */
export async function resolveEnds(deps: Pick<Ports, 'secrets'>, ends: Ends): Promise<{ source: End; target: End }> {
  const reference = ends.source.connection
  if (!reference) {
    throw new WaybillError(
      'SPEC_INVALID',
      'The spec does not say where the source is. Add source.connection.secret_ref; for files it leads to the folder they lie in.',
    )
  }
  return {
    source: { systemType: ends.source.system_type, url: await deps.secrets.resolve(reference.secret_ref) },
    target: { systemType: ends.target.system_type, url: await deps.secrets.resolve(ends.target.connection.secret_ref) },
  }
}

/** With what the spec or plan and the policy in force say about TLS; connectors hold to it before they send anything. */
export function connectorOptions(
  deps: Pick<Ports, 'policy'>,
  ends: Ends,
  statementTimeoutMs: number,
  signal: AbortSignal = NEVER,
): ConnectorOptions {
  const patience = [ends.source.connection?.connection_timeout_ms, ends.target.connection.connection_timeout_ms].filter(
    (ms) => ms !== undefined,
  )
  const demand = (connection: ConnectionReference | null | undefined) => (connection?.tls_enabled === false ? 'off' : 'required')
  const tls: TlsDemands = {
    source: demand(ends.source.connection),
    target: demand(ends.target.connection),
    offAnywhere: !deps.policy.encryption.require_tls_outside_loopback,
  }
  return { connectTimeoutMs: Math.max(...patience), statementTimeoutMs, signal, tls }
}

/** Uses what was opened and closes it, whatever happens. */
export async function using<C extends { close(): Promise<void> }, R>(opening: Promise<C>, act: (opened: C) => Promise<R>): Promise<R> {
  const opened = await opening
  try {
    return await act(opened)
  } finally {
    await opened.close().catch(() => undefined)
  }
}
