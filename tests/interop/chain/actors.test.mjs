// CosmJS as a foreign client of the embedded chain: keys, money, every role, and what is refused, told as the real chain
// tells it. The texts of refusals are those of the recording (tests/vectors/chain_txs.json).

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'node:test'

import { fromBase64, toHex } from '@cosmjs/encoding'
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing'
import { GasPrice, SigningStargateClient, StargateClient, assertIsDeliverTxSuccess } from '@cosmjs/stargate'
import { Comet38Client, WebsocketClient } from '@cosmjs/tendermint-rpc'
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx'

import { RPC_TYPES } from './pocket.mjs'
import {
  CHAIN_ID, POKT, call, coin, comet, does, fee, person, query, registry, rpc, untilHeight,
} from './support.mjs'

const recording = JSON.parse(await readFile(process.env.RECORDING, 'utf8'))
const recorded = (label) => recording.transactions.find((one) => one.label === label)
const [owner, operator, app, gateway, source, stranger] = await Promise.all(
  [1, 2, 3, 4, 5, 6].map(() => person()),
)
const SERVICE = 'cosmjs-model'
const { app_state: STATE } = (await call('genesis', {})).genesis
const least = (module) => BigInt(STATE[module].params.min_stake.amount)

async function done(who, typeUrl, value) {
  const result = await does(who, typeUrl, value)
  assertIsDeliverTxSuccess(result)
  return result
}

// The end of a recorded text, where addresses and amounts are others here.
function saysAs(log, label, fill = {}) {
  let wanted = recorded(label).included?.log || recorded(label).broadcast_tx_sync.log
  for (const [from, to] of Object.entries(fill)) wanted = wanted.replaceAll(from, to)
  assert.equal(log.replaceAll(/\[<module cache>[^\]]*\] ?/g, ''), wanted.replaceAll(/ ?\[<module cache>[^\]]*\]/g, ''))
}

async function refused(who, typeUrl, value) {
  const result = await does(who, typeUrl, value)
  assert.notEqual(result.code, 0)
  return { code: result.code, log: result.rawLog, result }
}

test('the chain is told as CosmJS expects it', async () => {
  assert.equal(await owner.client.getChainId(), CHAIN_ID)
  const status = await comet.status()
  assert.equal(status.nodeInfo.network, CHAIN_ID)
  assert.equal(status.validatorInfo.votingPower > 0n, true)
  const block = await owner.client.getBlock(1)
  assert.equal(block.header.height, 1)
  const { validators } = await comet.validatorsAll(1)
  assert.equal(validators.length, 1)
  const commit = await comet.commit(1)
  assert.equal(commit.canonical, true)
  assert.equal(toHex(commit.commit.blockId.hash).length, 64)
  const info = await comet.abciInfo()
  assert.equal(info.data, 'pocket')
  assert.equal((await comet.genesis()).chainId, CHAIN_ID)
  const chain = await comet.blockchain(1, 3)
  assert.equal(chain.blockMetas.length, 3)
  assert.equal(await comet.health(), null)
})

test('keys are those of every wallet of the Cosmos', async () => {
  for (const name of ['app1', 'gateway1', 'op1']) {
    const { mnemonic, address } = recording.accounts[name]
    const wallet = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'pokt' })
    assert.equal((await wallet.getAccounts())[0].address, address)
  }
})

test('coins are sent and read back', async () => {
  const before = BigInt((await stranger.client.getBalance(stranger.address, 'upokt')).amount)
  const result = await owner.client.sendTokens(owner.address, stranger.address, [coin(5n * POKT)], fee(), 'for lunch')
  assertIsDeliverTxSuccess(result)
  assert.equal(BigInt((await stranger.client.getBalance(stranger.address, 'upokt')).amount), before + 5n * POKT)
  assert.deepEqual(await stranger.client.getAllBalances(stranger.address), [
    { denom: 'upokt', amount: String(before + 5n * POKT) },
  ])
  const tx = await owner.client.getTx(result.transactionHash)
  assert.equal(tx.height, result.height)
  assert.equal(tx.code, 0)
  const raw = TxRaw.decode(tx.tx)
  assert.equal(raw.signatures.length, 1)
  const moved = tx.events.find(
    ({ type, attributes }) => type === 'transfer' && attributes.some(({ value }) => value === stranger.address),
  )
  assert.ok(moved.attributes.some(({ key, value }) => key === 'amount' && value === '5000000upokt'))
  const found = await owner.client.searchTx(`message.sender='${owner.address}' AND tx.height=${result.height}`)
  assert.deepEqual(found.map(({ hash }) => hash), [result.transactionHash])
  const byPairs = await owner.client.searchTx([
    { key: 'message.sender', value: owner.address },
    { key: 'transfer.recipient', value: stranger.address },
  ])
  assert.equal(byPairs.length, 1)
  const { account, sequence } = await (async () => {
    const account = await owner.client.getAccount(owner.address)
    return { account, sequence: account.sequence }
  })()
  assert.equal(sequence, 1)
  assert.equal(toHex(fromBase64(account.pubkey.value)), toHex((await owner.wallet.getAccounts())[0].pubkey))
  assert.equal(await owner.client.getTx('0'.repeat(64)), null)
  assert.equal(await owner.client.getAccount((await person(undefined, 0n)).address), null)
})

test('the gas is found by simulation', async () => {
  const message = {
    typeUrl: '/cosmos.bank.v1beta1.MsgSend',
    value: { fromAddress: owner.address, toAddress: stranger.address, amount: [coin(1)] },
  }
  const gas = await owner.client.simulate(owner.address, [message], '')
  assert.ok(gas > 50_000 && gas < 80_000, String(gas))
  const auto = await SigningStargateClient.createWithSigner(comet, owner.wallet, {
    registry,
    gasPrice: GasPrice.fromString('0.000001upokt'),
  })
  const result = await auto.signAndBroadcast(owner.address, [message], 'auto')
  assertIsDeliverTxSuccess(result)
  // It has the bytes of the signature, and those of the fee, besides.
  assert.ok(Math.abs(Number(result.gasUsed) - gas) < 200, `${result.gasUsed} ${gas}`)
})

test('a block is waited for over a WebSocket', async () => {
  const socket = new WebsocketClient(rpc.replace('http', 'ws'), (error) => {
    throw error
  })
  const client = Comet38Client.create(socket)
  const heard = { blocks: [], txs: [] }
  const headers = client.subscribeNewBlockHeader().subscribe({ next: (header) => heard.blocks.push(header.height) })
  const txs = client
    .subscribeTx(`message.sender='${app.address}'`)
    .subscribe({ next: (tx) => heard.txs.push([tx.height, toHex(tx.hash).toUpperCase(), tx.result.code]) })
  const asked = await client.status()
  assert.equal(asked.nodeInfo.network, CHAIN_ID)
  const sent = await app.client.sendTokens(app.address, app.address, [coin(1)], fee())
  const until = Date.now() + 20_000
  while ((heard.txs.length < 1 || heard.blocks.length < 2) && Date.now() < until) {
    await new Promise((done) => setTimeout(done, 20))
  }
  assert.deepEqual(heard.txs, [[sent.height, sent.transactionHash, 0]])
  assert.ok(heard.blocks.includes(sent.height), `${heard.blocks} without ${sent.height}`)
  headers.unsubscribe()
  txs.unsubscribe()
  client.disconnect()
})

test('a service is made, changed and given away', async () => {
  const service = (more) => ({
    owner_address: source.address,
    service: { id: SERVICE, name: 'A model', compute_units_per_relay: 100, owner_address: source.address, ...more },
  })
  const url = '/pocket.service.MsgAddService'
  await done(source, url, service())
  const card = new TextEncoder().encode('{"schema":"pocket-service-card/v1"}')
  await done(source, url, service({ compute_units_per_relay: 50, metadata: { card } }))
  // A change without a card keeps it.
  await done(source, url, service({ compute_units_per_relay: 50, name: 'The model' }))
  const found = (await query('/pocket.service.Query/Service', SERVICE)).found
  assert.deepEqual([found.name, found.compute_units_per_relay], ['The model', 50n])
  assert.equal(new TextDecoder().decode(found.metadata.card), '{"schema":"pocket-service-card/v1"}')
  const other = await refused(stranger, url, {
    owner_address: stranger.address,
    service: { ...service().service, owner_address: stranger.address },
  })
  const of = recorded('add_service_not_owner_of_existing').messages[0].owner_address
  const real = recording.accounts.svcowner.address
  saysAs(other.log, 'add_service_not_owner_of_existing', { [of]: stranger.address, [real]: source.address })
  const all = await query('/pocket.service.Query/AllServices', {})
  assert.ok(all.found.some(({ id }) => id === SERVICE))
  await done(source, '/pocket.service.MsgTransferService', {
    owner_address: source.address, service_id: SERVICE, new_owner_address: owner.address,
  })
  assert.equal((await query('/pocket.service.Query/Service', SERVICE)).found.owner_address, owner.address)
})

test('a gateway is staked, shows a card and leaves', async () => {
  const url = '/pocket.gateway.MsgStakeGateway'
  const stake = least('gateway') + POKT
  await done(gateway, url, { address: gateway.address, stake: coin(stake) })
  const again = await refused(gateway, url, { address: gateway.address, stake: coin(stake) })
  saysAs(again.log, 'stake_gateway_not_higher', { '100000000upokt': `${stake}upokt` })
  const card = new TextEncoder().encode('{"schema":"pocket-gateway-card/v1"}')
  const shown = await done(gateway, '/pocket.gateway.MsgUpdateGatewayMetadata', {
    address: gateway.address, metadata: { card },
  })
  assert.ok(shown.events.some(({ type }) => type === 'pocket.gateway.EventGatewayMetadataUpdated'))
  const { found } = await query('/pocket.gateway.Query/Gateway', gateway.address)
  assert.deepEqual([found.stake.amount, found.metadata.card.length], [String(stake), card.length])
})

// Where the application was when it began to leave.
const leaving = {}

test('an application is staked, delegates, takes back and leaves', async () => {
  const stake = (upokt) => ({
    address: app.address, stake: coin(upokt), services: [{ service_id: SERVICE }],
  })
  const url = '/pocket.application.MsgStakeApplication'
  const few = await refused(app, url, stake(least('application') - 1n))
  const small = recorded('stake_application_below_min').messages[0].address
  saysAs(few.log, 'stake_application_below_min', { [small]: app.address, '100000000upokt': `${least('application')}upokt` })
  assert.equal(few.code, 1)
  const first = await done(app, url, stake(2n * least('application')))
  assert.ok(first.events.some(({ type }) => type === 'pocket.application.EventApplicationStaked'))
  await done(app, url, { ...stake(3n * least('application')), per_session_spend_limit: coin(POKT) })
  const pair = { app_address: app.address, gateway_address: gateway.address }
  await done(app, '/pocket.application.MsgDelegateToGateway', pair)
  const twice = await refused(app, '/pocket.application.MsgDelegateToGateway', pair)
  saysAs(twice.log, 'delegate_again', {
    [recording.accounts.app1.address]: app.address, [recording.accounts.gateway1.address]: gateway.address,
  })
  let { found } = await query('/pocket.application.Query/Application', app.address)
  assert.deepEqual(found.delegatee_gateway_addresses, [gateway.address])
  assert.equal(found.per_session_spend_limit.amount, '1000000')
  await done(app, '/pocket.application.MsgUndelegateFromGateway', pair)
  await done(app, '/pocket.application.MsgUnstakeApplication', { address: app.address })
  ;({ found } = await query('/pocket.application.Query/Application', app.address))
  leaving.end = found.unstake_session_end_height
  assert.ok(leaving.end > 0n)
  const again = await refused(app, '/pocket.application.MsgUnstakeApplication', { address: app.address })
  saysAs(again.log, 'unstake_application_again', { [recording.accounts.app4.address]: app.address })
  leaving.balance = BigInt((await app.client.getBalance(app.address, 'upokt')).amount)
})

test('a supplier is staked by its owner, served and edited by its operator', async () => {
  const url = '/pocket.supplier.MsgStakeSupplier'
  const pair = { owner_address: owner.address, operator_address: operator.address }
  const service = (...kinds) => ({
    service_id: SERVICE,
    endpoints: kinds.map((kind) => ({ url: 'https://home.example', rpc_type: RPC_TYPES[kind] })),
    rev_share: [
      { address: owner.address, rev_share_percentage: 60 },
      { address: operator.address, rev_share_percentage: 40 },
    ],
  })
  const stake = least('supplier') + POKT
  await done(owner, url, { ...pair, signer: owner.address, stake: coin(stake) })
  // Only the operator sets services: refused before it is in a block, with the module's own code.
  const byOwner = does(owner, url, { ...pair, signer: owner.address, services: [service('REST')] })
  await assert.rejects(byOwner, (error) => {
    assert.deepEqual([error.code, error.codespace], [1104, 'supplier'])
    saysAs(error.log, 'stake_supplier_owner_sends_services')
    return true
  })
  await done(operator, url, { ...pair, signer: operator.address, services: [service('REST')] })
  await done(operator, url, { ...pair, signer: operator.address, services: [service('REST', 'JSON_RPC')] })
  let { found } = await query('/pocket.supplier.Query/Supplier', operator.address)
  assert.deepEqual([found.owner_address, found.stake.amount], [owner.address, String(stake)])
  const config = found.service_config_history.at(-1)
  assert.deepEqual(config.service.endpoints.map(({ rpc_type }) => rpc_type), [4, 3])
  assert.deepEqual(config.service.rev_share.map(({ rev_share_percentage }) => rev_share_percentage), [60n, 40n])
  await untilHeight(Number(config.activation_height))
  ;({ found } = await query('/pocket.supplier.Query/Supplier', operator.address))
  assert.deepEqual(found.services.map(({ service_id }) => service_id), [SERVICE])
  const foreign = await refused(stranger, '/pocket.supplier.MsgUnstakeSupplier', {
    signer: stranger.address, operator_address: operator.address,
  })
  assert.match(foreign.log, /code = PermissionDenied desc = signer "pokt1\w+" is not allowed to unstake supplier \{/)
  await done(owner, '/pocket.supplier.MsgUnstakeSupplier', { signer: owner.address, operator_address: operator.address })
  ;({ found } = await query('/pocket.supplier.Query/Supplier', operator.address))
  assert.ok(found.unstake_session_end_height > 0n)
})

test('stakes come back when their time is over', async () => {
  const { params } = STATE.shared
  const blocks = BigInt(params.num_blocks_per_session) * BigInt(params.application_unbonding_period_sessions)
  await done(gateway, '/pocket.gateway.MsgUnstakeGateway', { address: gateway.address })
  await untilHeight(Number(leaving.end + blocks))
  const gone = await query('/pocket.application.Query/Application', app.address).catch((error) => error)
  assert.deepEqual([gone.code, gone.codespace], [22, 'sdk'], gone.message)
  const after = BigInt((await app.client.getBalance(app.address, 'upokt')).amount)
  assert.equal(after - leaving.balance, 3n * least('application'))
})

test('an application is transferred', async () => {
  const heir = await person()
  await done(stranger, '/pocket.application.MsgStakeApplication', {
    address: stranger.address, stake: coin(2n * least('application')), services: [{ service_id: SERVICE }],
  })
  const begun = await done(stranger, '/pocket.application.MsgTransferApplication', {
    source_address: stranger.address, destination_address: heir.address,
  })
  const event = begun.events.find(({ type }) => type === 'pocket.application.EventTransferBegin')
  const at = event.attributes.find(({ key }) => key === 'transfer_end_height').value
  const { found } = await query('/pocket.application.Query/Application', stranger.address)
  assert.equal(found.pending_transfer.destination_address, heir.address)
  assert.ok(JSON.parse(at) > begun.height)
})

test('what is granted is done in another name', async () => {
  const { GenericAuthorization } = await import('cosmjs-types/cosmos/authz/v1beta1/authz')
  const { MsgSend } = await import('cosmjs-types/cosmos/bank/v1beta1/tx')
  const value = GenericAuthorization.encode({ msg: '/cosmos.bank.v1beta1.MsgSend' }).finish()
  const expiration = { seconds: BigInt(Math.floor(Date.now() / 1000) + 3600), nanos: 0 }
  const inner = MsgSend.encode({
    fromAddress: owner.address, toAddress: gateway.address, amount: [coin(7)],
  }).finish()
  const exec = { grantee: source.address, msgs: [{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value: inner }] }
  const early = await does(source, '/cosmos.authz.v1beta1.MsgExec', exec)
  assert.deepEqual([early.code, /authorization not found/.test(early.rawLog)], [2, true], early.rawLog)
  await done(owner, '/cosmos.authz.v1beta1.MsgGrant', {
    granter: owner.address,
    grantee: source.address,
    grant: { authorization: { typeUrl: '/cosmos.authz.v1beta1.GenericAuthorization', value }, expiration },
  })
  const before = BigInt((await gateway.client.getBalance(gateway.address, 'upokt')).amount)
  const result = await done(source, '/cosmos.authz.v1beta1.MsgExec', exec)
  assert.equal(result.msgResponses[0].typeUrl, '/cosmos.authz.v1beta1.MsgExecResponse')
  assert.equal(BigInt((await gateway.client.getBalance(gateway.address, 'upokt')).amount), before + 7n)
  await done(owner, '/cosmos.authz.v1beta1.MsgRevoke', {
    granter: owner.address, grantee: source.address, msgTypeUrl: '/cosmos.bank.v1beta1.MsgSend',
  })
})

// A payment signed with other facts than the chain's.
async function signedAs(who, { sequence, accountNumber, chainId, gas = 400_000, amount = 1n, upokt, memo = '' }) {
  const known = await who.client.getSequence(who.address)
  const message = {
    typeUrl: '/cosmos.bank.v1beta1.MsgSend',
    value: { fromAddress: who.address, toAddress: owner.address, amount: [coin(amount)] },
  }
  const paid = upokt === undefined ? fee(gas) : { gas: String(gas), amount: upokt ? [coin(upokt)] : [] }
  const raw = await who.client.sign(who.address, [message], paid, memo, {
    sequence: sequence ?? known.sequence,
    accountNumber: accountNumber ?? known.accountNumber,
    chainId: chainId ?? CHAIN_ID,
  })
  return TxRaw.encode(raw).finish()
}

test('what is wrong with a transaction is told with the codes of the SDK', async () => {
  const poor = await person(undefined, 1n * POKT)
  const { accountNumber } = await poor.client.getSequence(poor.address)
  const cases = [
    [{ sequence: 7 }, 32, 'account sequence mismatch, expected 0, got 7: incorrect account sequence'],
    [
      { chainId: 'pocket' },
      4,
      `signature verification failed; please verify account number (${accountNumber}) and chain-id (${CHAIN_ID}): ` +
        '(unable to verify single signer signature): unauthorized',
    ],
    [
      { accountNumber: 99_999 },
      4,
      `signature verification failed; please verify account number (${accountNumber}) and chain-id (${CHAIN_ID}): ` +
        '(unable to verify single signer signature): unauthorized',
    ],
    [{ gas: 1_000, upokt: 1 }, 11, /^out of gas in location: \w+; gasWanted: 1000, gasUsed: \d+: out of gas$/],
    [{ upokt: 0 }, 13, 'insufficient fees; got:  required: 1upokt: insufficient fee'],
    [{ gas: 3_000_000, upokt: 1 }, 13, 'insufficient fees; got: 1upokt required: 3upokt: insufficient fee'],
    [
      { memo: 'm'.repeat(257) },
      12,
      'maximum number of characters is 256 but received 257 characters: memo too large',
    ],
    [
      { gas: 2_000_000, upokt: 2_000_000 },
      5,
      'spendable balance 1000000upokt is smaller than 2000000upokt: insufficient funds: insufficient funds',
    ],
  ]
  for (const [how, code, log] of cases) {
    await assert.rejects(
      poor.client.broadcastTx(await signedAs(poor, how)),
      (error) => {
        assert.deepEqual([error.code, error.codespace], [code, 'sdk'], error.message)
        if (log instanceof RegExp) assert.match(error.log, log)
        else assert.equal(error.log, log)
        return true
      },
      JSON.stringify(how),
    )
  }
  // What bank refuses is refused in the block, and has cost its fee.
  const result = await poor.client.broadcastTx(await signedAs(poor, { amount: 5n * POKT }))
  assert.deepEqual([result.code, result.rawLog], [
    5,
    'failed to execute message; message index: 0: spendable balance 999999upokt is smaller than 5000000upokt: ' +
      'insufficient funds',
  ])
  assert.equal((await poor.client.getBalance(poor.address, 'upokt')).amount, '999999')
  assert.equal((await poor.client.getSequence(poor.address)).sequence, 1)
})

test('the same bytes are taken once', async () => {
  const bytes = await signedAs(gateway, {})
  const [first, second] = await Promise.allSettled([comet.broadcastTxSync({ tx: bytes }), comet.broadcastTxSync({ tx: bytes })])
  const errors = [first, second].filter(({ status }) => status === 'rejected')
  assert.equal(errors.length, 1)
  assert.deepEqual(JSON.parse(errors[0].reason.message), recorded('duplicate_tx_in_mempool').broadcast_tx_sync.rpc_error)
})

test('without a signer it reads all the same', async () => {
  const reader = await StargateClient.connect(rpc)
  assert.ok((await reader.getHeight()) > 1)
  await assert.rejects(reader.getBalance('pokt1nonsense', 'upokt'), /decoding bech32 failed/)
  reader.disconnect()
})

test.after(() => comet.disconnect())
