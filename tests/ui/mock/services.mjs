// What the mock says of the services of the network and their cards.
import { Refusal, windowOf } from './chats.mjs';

export const networkServices = (main) => [
  { id: 'llm-r1-14b', name: 'DeepSeek R1 14B', compute_units: 1_000_000, owner: main, is_own: true },
  { id: 'eth', name: 'Ethereum', compute_units: 2_000, owner: 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa', is_own: false },
];

export const serviceHandlers = {
  'GET /roles/services': (mock, { query }) => {
    const accounts = mock.it.walletPage.accounts;
    const owner = accounts.find((one) => one.purposes.includes('owner'))?.address;
    const all = mock.it.services.map((one) => ({ ...one, is_own: one.owner === owner }));
    return { services: windowOf(query, all), total: all.length };
  },
  'GET /roles/services/{id}': (mock, { id }) => {
    const found = mock.it.services.find((one) => one.id === id);
    if (!found) throw new Refusal(409, 'no_service', `there is no service "${id}"`);
    return { ...found, card: mock.it.cards?.[id] ?? null };
  },
};
