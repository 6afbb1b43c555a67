export { quoteIdentifier, quoteLiteral, quoteQualified } from '../../core/sql-text.ts'
