import { hex } from './network-bytes.ts';

/** A version of TLS as people call it: 1.3. */
export function versionName(version: number): string {
  if (version === 0x0300) return 'SSL 3.0';
  if (version > 0x0300 && version <= 0x0304) return `1.${version - 0x0301}`;
  return hex(version, 4);
}

/** RFC 8701: values that clients offer so that servers get used to unknown ones: 0x0a0a, 0x1a1a and so on. */
export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

/** IANA's name of a cipher suite, if it is one of those that servers choose today, and its number. */
export function cipherName(cipher: number): string {
  const name = ciphers.get(cipher);
  return name === undefined ? hex(cipher, 4) : `TLS_${name}`;
}

const ciphers: ReadonlyMap<number, string> = new Map([
  [0x1301, 'AES_128_GCM_SHA256'],
  [0x1302, 'AES_256_GCM_SHA384'],
  [0x1303, 'CHACHA20_POLY1305_SHA256'],
  [0x1304, 'AES_128_CCM_SHA256'],
  [0x1305, 'AES_128_CCM_8_SHA256'],
  [0x002f, 'RSA_WITH_AES_128_CBC_SHA'],
  [0x0035, 'RSA_WITH_AES_256_CBC_SHA'],
  [0x003c, 'RSA_WITH_AES_128_CBC_SHA256'],
  [0x003d, 'RSA_WITH_AES_256_CBC_SHA256'],
  [0x009c, 'RSA_WITH_AES_128_GCM_SHA256'],
  [0x009d, 'RSA_WITH_AES_256_GCM_SHA384'],
  [0x009e, 'DHE_RSA_WITH_AES_128_GCM_SHA256'],
  [0x009f, 'DHE_RSA_WITH_AES_256_GCM_SHA384'],
  [0xc009, 'ECDHE_ECDSA_WITH_AES_128_CBC_SHA'],
  [0xc00a, 'ECDHE_ECDSA_WITH_AES_256_CBC_SHA'],
  [0xc013, 'ECDHE_RSA_WITH_AES_128_CBC_SHA'],
  [0xc014, 'ECDHE_RSA_WITH_AES_256_CBC_SHA'],
  [0xc023, 'ECDHE_ECDSA_WITH_AES_128_CBC_SHA256'],
  [0xc027, 'ECDHE_RSA_WITH_AES_128_CBC_SHA256'],
  [0xc02b, 'ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
  [0xc02c, 'ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'],
  [0xc02f, 'ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
  [0xc030, 'ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
  [0xcca8, 'ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'],
  [0xcca9, 'ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256'],
]);

/** RFC 8446, appendix B.3, and RFC 5246: handshake messages. */
export const handshakeNames: ReadonlyMap<number, string> = new Map([
  [0, 'HelloRequest'],
  [1, 'ClientHello'],
  [2, 'ServerHello'],
  [4, 'NewSessionTicket'],
  [8, 'EncryptedExtensions'],
  [11, 'Certificate'],
  [12, 'ServerKeyExchange'],
  [13, 'CertificateRequest'],
  [14, 'ServerHelloDone'],
  [15, 'CertificateVerify'],
  [16, 'ClientKeyExchange'],
  [20, 'Finished'],
  [22, 'CertificateStatus'],
]);

/** RFC 8446, appendix B.2. */
export const alertNames: ReadonlyMap<number, string> = new Map([
  [0, 'close_notify'],
  [10, 'unexpected_message'],
  [20, 'bad_record_mac'],
  [22, 'record_overflow'],
  [40, 'handshake_failure'],
  [42, 'bad_certificate'],
  [43, 'unsupported_certificate'],
  [44, 'certificate_revoked'],
  [45, 'certificate_expired'],
  [46, 'certificate_unknown'],
  [47, 'illegal_parameter'],
  [48, 'unknown_ca'],
  [49, 'access_denied'],
  [50, 'decode_error'],
  [51, 'decrypt_error'],
  [70, 'protocol_version'],
  [71, 'insufficient_security'],
  [80, 'internal_error'],
  [86, 'inappropriate_fallback'],
  [90, 'user_canceled'],
  [109, 'missing_extension'],
  [110, 'unsupported_extension'],
  [112, 'unrecognized_name'],
  [116, 'certificate_required'],
  [120, 'no_application_protocol'],
]);
