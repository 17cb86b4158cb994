// What a message of the chain does, and what its fields are, in the words of the page.
import { visible, type Plain } from '$lib/format/plainly';
import { m } from '$lib/paraglide/messages';

const kinds = new Map<string, () => string>([
  ['/cosmos.authz.v1beta1.MsgExec', m.msg_exec],
  ['/cosmos.authz.v1beta1.MsgGrant', m.msg_grant],
  ['/cosmos.authz.v1beta1.MsgRevoke', m.msg_revoke],
  ['/cosmos.bank.v1beta1.MsgSend', m.msg_send],
  ['/cosmos.feegrant.v1beta1.MsgGrantAllowance', m.msg_grant_fees],
  ['/cosmos.feegrant.v1beta1.MsgRevokeAllowance', m.msg_revoke_fees],
  ['/pocket.application.MsgDelegateToGateway', m.msg_delegate],
  ['/pocket.application.MsgStakeApplication', m.msg_stake_application],
  ['/pocket.application.MsgTransferApplication', m.msg_transfer_application],
  ['/pocket.application.MsgUndelegateFromGateway', m.msg_undelegate],
  ['/pocket.application.MsgUnstakeApplication', m.msg_unstake_application],
  ['/pocket.gateway.MsgStakeGateway', m.msg_stake_gateway],
  ['/pocket.gateway.MsgUnstakeGateway', m.msg_unstake_gateway],
  ['/pocket.gateway.MsgUpdateGatewayMetadata', m.msg_gateway_card],
  ['/pocket.migration.MsgClaimMorseAccount', m.msg_morse_account],
  ['/pocket.migration.MsgClaimMorseApplication', m.msg_morse_application],
  ['/pocket.migration.MsgClaimMorseSupplier', m.msg_morse_supplier],
  ['/pocket.proof.MsgCreateClaim', m.msg_claim],
  ['/pocket.proof.MsgSubmitProof', m.msg_proof],
  ['/pocket.service.MsgAddService', m.msg_service],
  ['/pocket.service.MsgTransferService', m.msg_transfer_service],
  ['/pocket.supplier.MsgStakeSupplier', m.msg_stake_supplier],
  ['/pocket.supplier.MsgUnstakeSupplier', m.msg_unstake_supplier],
]);

/** Whether Hearth has words for a message. */
export const isKnown = (type: string): boolean => kinds.has(type);

/** By the whole name: another module's message of the same last word does something else. */
export const doneBy = (type: unknown): string => (kinds.get(String(type)) ?? m.msg_unknown)();

/** By the field's own name, or by that and the one it lies in where it alone says too little. */
const fields = new Map<string, () => string>([
  ['@type', m.msg_kind],
  ['address', m.msg_account],
  ['amount', m.msg_amount],
  ['app_address', m.msg_application],
  ['card', m.msg_card],
  ['compute_units_per_relay', m.role_service_units],
  ['destination_address', m.msg_to],
  ['expiration', m.msg_expires],
  ['from_address', m.msg_from],
  ['gateway_address', m.msg_gateway],
  ['grantee', m.msg_grantee],
  ['granter', m.msg_granter],
  ['morse_node_address', m.msg_morse_node],
  ['morse_public_key', m.msg_morse_key],
  ['morse_signature', m.msg_morse_signature],
  ['msg', m.msg_allows],
  ['msg_type_url', m.msg_allows],
  ['name', m.msg_name],
  ['new_owner_address', m.msg_new_owner],
  ['operator_address', m.msg_operator],
  ['owner_address', m.msg_owner],
  ['per_session_spend_limit', m.role_session_limit],
  ['rev_share.address', m.msg_share_to],
  ['rev_share_percentage', m.msg_share],
  ['rpc_type', m.msg_rpc],
  ['service.id', m.role_service],
  ['service_id', m.role_service],
  ['shannon_dest_address', m.msg_to],
  ['shannon_operator_address', m.msg_operator],
  ['shannon_owner_address', m.msg_owner],
  ['shannon_signing_address', m.msg_signer],
  ['signer', m.msg_signer],
  ['source_address', m.msg_from],
  ['stake', m.role_stake],
  ['supplier_operator_address', m.msg_operator],
  ['to_address', m.msg_to],
  ['url', m.role_url],
]);

/** What a line says something about; with its number where there are several. */
export function fieldOf({ path, at }: Plain): string {
  const name = fields.get(path.slice(-2).join('.')) ?? fields.get(path.at(-1) ?? '');
  return [name?.() ?? visible(path.join('.')), ...(at.length > 0 ? [at.join('.')] : [])].join(' ');
}

/** A value; the kinds of messages have words here, too. */
export function valueOf(line: Plain & { text: string }): string {
  const last = line.path.at(-1);
  const words = last === '@type' || last === 'msg' || last === 'msg_type_url' ? kinds.get(line.text)?.() : null;
  return words ? `${words} (${line.text})` : visible(line.text);
}
