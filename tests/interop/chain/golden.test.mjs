// Every recorded transaction of the real chain once more, made by CosmJS from its words and messages: the same bytes, so
// the same signatures as the real chain took and as Hearth makes (its own tests read the same recording).

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'node:test'

import { toHex } from '@cosmjs/encoding'
import { DirectSecp256k1HdWallet, encodePubkey, makeSignBytes } from '@cosmjs/proto-signing'
import { MsgExec, MsgGrant, MsgRevoke } from 'cosmjs-types/cosmos/authz/v1beta1/tx'
import { GenericAuthorization } from 'cosmjs-types/cosmos/authz/v1beta1/authz'
import { TxBody, AuthInfo, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx'
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing'
import { encodeSecp256k1Pubkey } from '@cosmjs/amino'
import { fromBase64 } from '@cosmjs/encoding'

import { Any, fromJson, MESSAGES } from './pocket.mjs'
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx'

const recording = JSON.parse(await readFile(process.env.RECORDING, 'utf8'))
const encoded = (typeUrl, value) => Any.fromPartial({ typeUrl, value })

// The bytes of a recorded message, or nothing where the tables do not know it.
function anyOf(json) {
  const { '@type': typeUrl, ...fields } = json
  if (typeUrl === '/cosmos.bank.v1beta1.MsgSend') {
    const { from_address: fromAddress, to_address: toAddress, amount } = fields
    return encoded(typeUrl, MsgSend.encode(MsgSend.fromPartial({ fromAddress, toAddress, amount })).finish())
  }
  if (typeUrl === '/cosmos.authz.v1beta1.MsgExec') {
    const msgs = fields.msgs.map(anyOf)
    if (msgs.includes(undefined)) return undefined
    return encoded(typeUrl, MsgExec.encode(MsgExec.fromPartial({ grantee: fields.grantee, msgs })).finish())
  }
  if (typeUrl === '/cosmos.authz.v1beta1.MsgGrant') {
    const { msg } = fields.grant.authorization
    const authorization = encoded(
      fields.grant.authorization['@type'],
      GenericAuthorization.encode(GenericAuthorization.fromPartial({ msg })).finish(),
    )
    const seconds = BigInt(Date.parse(fields.grant.expiration) / 1000)
    const grant = { authorization, expiration: { seconds, nanos: 0 } }
    const { granter, grantee } = fields
    return encoded(typeUrl, MsgGrant.encode(MsgGrant.fromPartial({ granter, grantee, grant })).finish())
  }
  if (typeUrl === '/cosmos.authz.v1beta1.MsgRevoke') {
    const { granter, grantee, msg_type_url: msgTypeUrl } = fields
    return encoded(typeUrl, MsgRevoke.encode(MsgRevoke.fromPartial({ granter, grantee, msgTypeUrl })).finish())
  }
  if (!MESSAGES[typeUrl]) return undefined
  const { value } = fromJson(json)
  return encoded(typeUrl, MESSAGES[typeUrl].encode(value).finish())
}

const coins = (fee) => {
  if (Array.isArray(fee)) return fee
  const [, amount, denom] = /^(\d+)(.+)$/.exec(fee) ?? []
  return denom ? [{ amount, denom }] : []
}

test('every message and every signature of the recording', async (t) => {
  let compared = 0
  const left = new Set()
  for (const one of [...recording.transactions, ...recording.from_blocks]) {
    const words = one.mnemonic ?? recording.accounts[one.signer]?.mnemonic
    const messages = one.messages?.map(anyOf)
    if (!words || !messages || messages.includes(undefined)) {
      left.add(one.label)
      continue
    }
    await t.test(one.label, async () => {
      const raw = TxRaw.decode(Buffer.from(one.tx_raw, 'hex'))
      const wallet = await DirectSecp256k1HdWallet.fromMnemonic(words, { prefix: 'pokt' })
      const [{ address, pubkey }] = await wallet.getAccounts()
      assert.equal(toHex(pubkey), one.signer_public_key)
      assert.equal(address, one.signer_address)

      const found = TxBody.decode(raw.bodyBytes)
      const { timeoutHeight, unordered, timeoutTimestamp, memo } = found
      const body = TxBody.encode(
        TxBody.fromPartial({ messages, memo, timeoutHeight, unordered, timeoutTimestamp }),
      ).finish()
      assert.equal(toHex(body), toHex(raw.bodyBytes), 'body')

      const auth = AuthInfo.decode(raw.authInfoBytes)
      const { sequence } = auth.signerInfos[0]
      const made = AuthInfo.encode(
        AuthInfo.fromPartial({
          signerInfos: [
            {
              publicKey: encodePubkey(encodeSecp256k1Pubkey(pubkey)),
              modeInfo: { single: { mode: SignMode.SIGN_MODE_DIRECT } },
              sequence,
            },
          ],
          fee: { amount: coins(one.inputs.fee), gasLimit: BigInt(one.inputs.gas) },
        }),
      ).finish()
      assert.equal(toHex(made), toHex(raw.authInfoBytes), 'auth info')

      const doc = {
        bodyBytes: body,
        authInfoBytes: made,
        chainId: one.inputs.chain_id,
        accountNumber: BigInt(one.inputs.account_number),
      }
      const { signature } = await wallet.signDirect(address, doc)
      const bytes = fromBase64(signature.signature)
      // One was spoilt on purpose after it was signed.
      if (one.label === 'corrupt_signature') assert.notEqual(toHex(bytes), toHex(raw.signatures[0]))
      else assert.equal(toHex(bytes), toHex(raw.signatures[0]), 'signature')
      if (one.sign_doc_bytes) assert.equal(toHex(makeSignBytes(doc)), one.sign_doc_bytes)
      compared += 1
    })
  }
  assert.ok(compared > 140, `${compared} compared; left out: ${[...left].join(', ')}`)
})
