// viem on a server: node viem.mjs URL. Prints "ok"; anything else is a failure.
import { createPublicClient, createTestClient, createWalletClient, http, parseEther, webSocket } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";

const url = process.argv[2];
const friend = "0x" + "22".repeat(20);
const account = privateKeyToAccount("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const client = createPublicClient({ chain: foundry, transport: http(url), pollingInterval: 50 });
const wallet = createWalletClient({ account, chain: foundry, transport: http(url) });
const test = createTestClient({ mode: "anvil", chain: foundry, transport: http(url) });
const check = (what, have, want) => {
  if (String(have) !== String(want)) throw new Error(`${what}: have ${have}, want ${want}`);
};

check("chain", await client.getChainId(), 31337);
const before = await client.getBalance({ address: friend });
const hash = await wallet.sendTransaction({ to: friend, value: 7n });
check("status", (await client.waitForTransactionReceipt({ hash })).status, "success");
check("balance", (await client.getBalance({ address: friend })) - before, 7n);
const snapshot = await test.snapshot();
await test.setBalance({ address: friend, value: parseEther("1") });
check("set balance", await client.getBalance({ address: friend }), parseEther("1"));
await test.mine({ blocks: 3 });
await test.impersonateAccount({ address: friend });
await test.sendUnsignedTransaction({ from: friend, to: account.address, value: 1n, gas: 21000n });
await test.stopImpersonatingAccount({ address: friend });
await test.revert({ id: snapshot });
check("taken back", (await client.getBalance({ address: friend })) - before, 7n);
check("fees", (await client.estimateFeesPerGas()).maxFeePerGas > 0n, true);
const simulated = await client.simulateBlocks({ blocks: [{ calls: [{ from: account.address, to: friend, value: 1n }] }] });
check("simulation", simulated[0].calls[0].status, "success");
const proof = await client.getProof({ address: friend, storageKeys: [] });
check("proof", proof.accountProof.length > 0, true);

const socket = createPublicClient({ chain: foundry, transport: webSocket(url.replace("http", "ws")) });
const block = new Promise((resolve) => socket.watchBlockNumber({ onBlockNumber: resolve }));
const again = setInterval(() => test.mine({ blocks: 1 }), 200);
check("told of a block", (await block) > 0n, true);
clearInterval(again);
console.log("ok");
process.exit(0);
