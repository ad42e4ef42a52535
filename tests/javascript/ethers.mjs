// ethers on a server: node ethers.mjs URL. Prints "ok"; anything else is a failure.
import { ethers } from "ethers";

const url = process.argv[2];
const provider = new ethers.JsonRpcProvider(url, undefined, { polling: true, pollingInterval: 50 });
const signer = await provider.getSigner(0);
const friend = "0x" + "22".repeat(20);
const check = (what, have, want) => {
  if (String(have) !== String(want)) throw new Error(`${what}: have ${have}, want ${want}`);
};

const sent = await (await signer.sendTransaction({ to: friend, value: 7n })).wait();
check("status", sent.status, 1);
check("balance", await provider.getBalance(friend), 7n);
// Returns 42, or reverts with Error("no") where it is called with anything.
const code = "0x36600c57602a5f5260205ff35b6308c379a060e01b5f526020600452600260245261" + "6e6f" + "60f01b60445260645ffd";
const size = (code.length - 2) / 2;
const initcode = "0x60" + size.toString(16).padStart(2, "0") + "600a5f3960" + size.toString(16).padStart(2, "0") + "5ff3";
const offset = (initcode.length - 2) / 2;
const made = await (await signer.sendTransaction({
  data: initcode.replace("600a", "60" + offset.toString(16).padStart(2, "0")) + code.slice(2), gasLimit: 300000n,
})).wait();
check("code", await provider.getCode(made.contractAddress), code);
check("answer", BigInt(await provider.call({ to: made.contractAddress })), 42n);
try {
  await provider.call({ to: made.contractAddress, data: "0x01" });
  throw new Error("the revert was not told");
} catch (error) {
  check("code of the revert", error.code, "CALL_EXCEPTION");
  check("reason", error.reason, "no");
}
const wallet = ethers.Wallet.createRandom().connect(provider);
await (await signer.sendTransaction({ to: wallet.address, value: ethers.parseEther("1") })).wait();
check("own wallet", (await (await wallet.sendTransaction({ to: friend, value: 1n })).wait()).status, 1);
check("history", (await provider.getFeeData()).gasPrice > 0n, true);

const socket = new ethers.WebSocketProvider(url.replace("http", "ws"));
const block = new Promise((resolve) => socket.once("block", resolve));
const again = setInterval(() => provider.send("evm_mine", []), 200);
check("told of a block", (await block) > 0, true);
clearInterval(again);
console.log("ok");
process.exit(0);
