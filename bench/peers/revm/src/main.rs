//! revm on the block files that evmcore's benchmarks use: `revm-blocks REGIME SENDERS ROUNDS FILE…`
//!   REGIME   passes: ROUNDS passes over all blocks; the first is "once", the later ones are "next"
//!            repeat: each block ROUNDS times in a row, after one execution that isn't counted
//!   SENDERS  known, or recover: they are recovered from the signatures in the timed part
//! Prints a line a block: number, gas, transactions, and the nanoseconds of each execution.
//! Timed: validation, execution, logs, blooms, the changes of state, rewards and withdrawals, on one thread. Not timed:
//! reading, copies of the state, roots. Gas and bloom are compared with the header's in every execution.
mod load;

use load::{load, recover, Block, Database};
use revm::{
    context::{result::ExecutionResult, CfgEnv, Context, TxEnv},
    database_interface::{Database as _, DatabaseCommit},
    handler::{MainBuilder, MainContext},
    primitives::{AddressMap, U256},
    state::Account,
    ExecuteCommitEvm,
};
use std::{collections::HashMap, time::Instant};

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn execute(block: &Block, state: Database, recovers: bool) -> u128 {
    let mut config = CfgEnv::new_with_spec(block.spec);
    config.set_spec_and_mainnet_gas_params(block.spec);
    let mut transactions: Vec<TxEnv> = block.transactions.clone();
    let mut evm = Context::mainnet().with_db(state).with_cfg(config).with_block(block.env.clone()).build_mainnet();
    let mut results: Vec<ExecutionResult> = Vec::with_capacity(transactions.len());
    let mut blooms = Vec::with_capacity(transactions.len());
    let mut logs_bloom = alloy_primitives::Bloom::ZERO;
    let mut gas = 0;

    let began = Instant::now();
    if recovers {
        for (tx, sender) in transactions.iter_mut().zip(recover(&block.signed)) {
            tx.caller = sender;
        }
    }
    for tx in transactions {
        let result = match evm.transact_commit(tx) {
            Ok(result) => result,
            Err(error) => panic!("block {}, transaction {}: {error:?}", block.number, results.len()),
        };
        gas += result.tx_gas_used();
        let bloom = alloy_primitives::logs_bloom(result.logs());
        logs_bloom |= bloom;
        blooms.push(bloom);
        results.push(result);
    }
    let database = &mut evm.ctx.journaled_state.database;
    for (address, wei) in &block.credits {
        let mut info = database.basic(*address).expect("in memory").unwrap_or_default();
        info.balance += U256::from(*wei);
        let mut account = Account::from(info);
        account.mark_touch();
        let mut changes = AddressMap::default();
        changes.insert(*address, account);
        database.commit(changes);
    }
    let nanoseconds = began.elapsed().as_nanos();

    assert_eq!(gas, block.gas_used, "block {}: gas", block.number);
    assert_eq!(logs_bloom.as_slice(), block.logs_bloom, "block {}: bloom", block.number);
    std::hint::black_box((results, blooms));
    nanoseconds
}

/// A node loads the trusted setup of blob proofs when it starts, not in a block: verify the proof of the zero polynomial.
fn load_trusted_setup() {
    let mut input = [0u8; 192];
    input[..32].copy_from_slice(&alloy_primitives::hex!("010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014"));
    input[96] = 0xc0; // the point at infinity, as the commitment and as the proof
    input[144] = 0xc0;
    revm::precompile::kzg_point_evaluation::run(&input, u64::MAX).expect("a valid proof");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [regime, senders, rounds, files @ ..] = arguments.as_slice() else {
        panic!("revm-blocks passes|repeat known|recover ROUNDS FILE…");
    };
    let recovers = senders == "recover";
    let rounds: usize = rounds.parse().expect("a number of rounds");
    load_trusted_setup();
    let mut codes = HashMap::new();
    let mut blocks: Vec<Block> = files.iter().map(|path| load(path, &mut codes)).collect();
    blocks.sort_by_key(|block| block.number);

    let mut found: Vec<Vec<u128>> = vec![Vec::new(); blocks.len()];
    match regime.as_str() {
        "passes" => {
            for _ in 0..rounds {
                let states: Vec<Database> = blocks.iter().map(|block| block.state.clone()).collect();
                for ((block, state), times) in blocks.iter().zip(states).zip(&mut found) {
                    times.push(execute(block, state, recovers));
                }
            }
        }
        "repeat" => {
            for (block, times) in blocks.iter().zip(&mut found) {
                execute(block, block.state.clone(), recovers);
                times.extend((0..rounds).map(|_| execute(block, block.state.clone(), recovers)));
            }
        }
        _ => panic!("{regime}: neither passes nor repeat"),
    }
    for (block, times) in blocks.iter().zip(found) {
        let times: Vec<String> = times.iter().map(u128::to_string).collect();
        println!("{} {} {} {}", block.number, block.gas_used, block.transactions.len(), times.join(" "));
    }
}
