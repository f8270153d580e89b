/**
 * One envelope with every value that its opening needs: for tests, and for whoever writes a decryptor in another language.
 * `dataKey` is what a key service gives for `wrapped_key`; the additional data is spelled out.
 */
export const ENVELOPE_VECTOR = {
  config: "demo/shop/prod/db.json",
  /** Hex. */
  dataKey: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
  additionalData: '[["app","shop"],["env","prod"],["name","db.json"],["tenant","demo"]]',
  plaintext: '{"password": "hunter2"}',
  body: '{"alg":"A256GCM","key_id":"arn:aws:kms:us-east-1:000000000000:key/example","wrapped_key":"d3JhcHBlZCBieSB0aGUga2V5IHNlcnZpY2U=","iv":"EBESExQVFhcYGRob","ciphertext":"Btzodzq6Tdy4ESonL1sBJrkkK3wp4Co=","tag":"HSAJeKefd/EAHlzrCHPD3w==","context":{"tenant":"demo","app":"shop","env":"prod","name":"db.json"}}',
} as const;
