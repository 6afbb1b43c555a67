import { segmentLeaf } from '../encoding/segment-digest.ts'
import type { SegmentProof } from '../schemas/evidence.ts'

/**
 * The path of one segment as commands for any POSIX shell with `sha256sum`: nothing of Waybill is needed to follow it. A leaf is
 * 0x00 and 44 bytes (number, rows, digest); a node is 0x01 and its two children (RFC 6962).
 */
export function segmentCommands(proof: SegmentProof): string {
  const side = (which: 'source' | 'target') => {
    const { rows, sha256, path, root } = proof[which]
    const leaf = Buffer.from(segmentLeaf(proof.index, BigInt(rows), sha256)).toString('hex')
    return [
      `# ${which}: segment ${proof.index}, ${rows} rows, leaf ${proof.position} of ${proof.tree_size}`,
      `number=${leaf.slice(0, 8)} rows=${leaf.slice(8, 24)}`,
      `digest=${leaf.slice(24)}`,
      'h=$(hash 00$number$rows$digest)',
      ...path.map(({ sibling, stands }) => (stands === 'left' ? `h=$(hash 01${sibling}$h)` : `h=$(hash 01\${h}${sibling})`)),
      `root=${root}`,
      `if [ $h = $root ]; then echo "${which}: leads to the signed root"; else echo "FAILED: ${which}"; false; fi`,
    ]
  }
  return [HASH, ...side('source'), ...side('target')].join('\n')
}

/** Bytes given in hexadecimal, hashed. Octal escapes are the only ones every printf knows. */
const HASH = `hash() { for b in $(echo $1 | sed 's/../& /g'); do printf "\\\\$(printf %o 0x$b)"; done | sha256sum | cut -c 1-64; }`
