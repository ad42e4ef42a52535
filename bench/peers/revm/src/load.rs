//! Block files (format mainnet-block/1) as revm's values. Codes are shared between blocks by hash, as a node's cache shares
//! them; their jump tables are made here, when the state is loaded.
use alloy_consensus::{transaction::SignerRecoverable, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use revm::{
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv},
    context_interface::{
        block::BlobExcessGasAndPrice,
        transaction::{AccessList, AccessListItem},
    },
    database::{CacheDB, EmptyDB},
    primitives::{eip4844, hardfork::SpecId, Address, Bytes, TxKind, B256, KECCAK_EMPTY, U256},
    state::AccountInfo,
};
use serde_json::Value;
use std::{collections::HashMap, io::Read, str::FromStr};

pub type Database = CacheDB<EmptyDB>;

pub struct Block {
    pub number: u64,
    pub spec: SpecId,
    pub env: BlockEnv,
    pub transactions: Vec<TxEnv>,
    pub signed: Vec<TxEnvelope>,
    pub state: Database,
    pub credits: Vec<(Address, U256)>, // rewards and withdrawals, in wei
    pub gas_used: u64,
    pub logs_bloom: Vec<u8>,
}

/// The senders, recovered from the signatures; those of Frontier may have a high s (EIP-2).
pub fn recover(signed: &[TxEnvelope]) -> Vec<Address> {
    signed.iter().map(|tx| tx.recover_signer_unchecked().expect("a valid signature")).collect()
}

pub fn load(path: &str, codes: &mut HashMap<B256, Bytecode>) -> Block {
    let file = read(path);
    let header = &file["header"];
    let spec = spec_of(file["rules"].as_str().expect("rules"));
    let signed: Vec<TxEnvelope> = items(&file["transactions"])
        .map(|tx| TxEnvelope::decode_2718(&mut bytes(&tx["raw"]).as_slice()).expect("a transaction"))
        .collect();
    let transactions: Vec<TxEnv> = items(&file["transactions"]).map(transaction).collect();
    let known: Vec<Address> = transactions.iter().map(|tx| tx.caller).collect();
    assert_eq!(recover(&signed), known, "{path}: a sender differs");

    let mut state = Database::default();
    for (text, account) in file["preState"].as_object().expect("preState") {
        let address = Address::from_str(text).expect("an address");
        let code = bytes(&account["code"]);
        let mut info = AccountInfo {
            balance: number(&account["balance"]),
            nonce: number(&account["nonce"]).to(),
            code_hash: KECCAK_EMPTY,
            ..Default::default()
        };
        if !code.is_empty() {
            info.code_hash = hash(&account["codeHash"]);
            let known = codes.entry(info.code_hash).or_insert_with(|| Bytecode::new_raw(Bytes::from(code)));
            info.code = Some(known.clone());
        }
        state.insert_account_info(address, info);
        for (slot, value) in account["storage"].as_object().expect("storage") {
            let slot = U256::from_str(slot).expect("a slot");
            state.insert_account_storage(address, slot, number(value)).expect("in memory");
        }
    }
    for (at, value) in file["blockHashes"].as_object().expect("blockHashes") {
        state.cache.block_hashes.insert(U256::from_str(at).expect("a number"), hash(value));
    }
    let env = block_env(header, spec);
    let mut credits: Vec<(Address, U256)> = items(&file["withdrawals"])
        .map(|one| (address(&one["address"]), number(&one["amount"]) * U256::from(1_000_000_000u64)))
        .collect();
    if spec < SpecId::MERGE {
        let ether = if spec < SpecId::BYZANTIUM { 5u64 } else if spec < SpecId::PETERSBURG { 3 } else { 2 };
        credits.push((env.beneficiary, U256::from(ether) * U256::from(10u64).pow(U256::from(18u64))));
    }
    Block {
        number: number(&header["number"]).to(),
        spec,
        env,
        transactions,
        signed,
        state,
        credits,
        gas_used: number(&header["gasUsed"]).to(),
        logs_bloom: bytes(&header["logsBloom"]),
    }
}

fn block_env(header: &Value, spec: SpecId) -> BlockEnv {
    BlockEnv {
        number: number(&header["number"]),
        beneficiary: address(&header["miner"]),
        timestamp: number(&header["timestamp"]),
        gas_limit: number(&header["gasLimit"]).to(),
        basefee: number(&header["baseFeePerGas"]).to(),
        difficulty: number(&header["difficulty"]),
        prevrandao: (spec >= SpecId::MERGE).then(|| hash(&header["mixHash"])),
        blob_excess_gas_and_price: (spec >= SpecId::CANCUN).then(|| {
            BlobExcessGasAndPrice::new(
                number(&header["excessBlobGas"]).to(),
                eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN,
            )
        }),
        ..Default::default()
    }
}

fn transaction(fields: &Value) -> TxEnv {
    let kind: u8 = number(&fields["type"]).to();
    let v: u64 = number(&fields["v"]).to();
    let chain_id = if kind != 0 { Some(1) } else { (v >= 35).then(|| (v - 35) / 2) };
    let price = if kind >= 2 { &fields["maxFeePerGas"] } else { &fields["gasPrice"] };
    let access_list = items(&fields["accessList"])
        .map(|item| AccessListItem {
            address: address(&item["address"]),
            storage_keys: items(&item["storageKeys"]).map(hash).collect(),
        })
        .collect();
    TxEnv {
        tx_type: kind,
        caller: address(&fields["from"]),
        gas_limit: number(&fields["gas"]).to(),
        gas_price: number(price).to(),
        kind: if fields["to"].is_null() { TxKind::Create } else { TxKind::Call(address(&fields["to"])) },
        value: number(&fields["value"]),
        data: Bytes::from(bytes(&fields["input"])),
        nonce: number(&fields["nonce"]).to(),
        chain_id,
        access_list: AccessList(access_list),
        gas_priority_fee: (kind >= 2).then(|| number(&fields["maxPriorityFeePerGas"]).to()),
        blob_hashes: items(&fields["blobVersionedHashes"]).map(hash).collect(),
        max_fee_per_blob_gas: number(&fields["maxFeePerBlobGas"]).to(),
        authorization_list: Vec::new(), // the files end before Prague
    }
}

fn spec_of(rules: &str) -> SpecId {
    match rules {
        "Frontier" => SpecId::FRONTIER,
        "Homestead" | "DAOFork" => SpecId::HOMESTEAD,
        "TangerineWhistle" => SpecId::TANGERINE,
        "SpuriousDragon" => SpecId::SPURIOUS_DRAGON,
        "Byzantium" => SpecId::BYZANTIUM,
        "Petersburg" | "ConstantinopleFix" => SpecId::PETERSBURG,
        "Istanbul" | "MuirGlacier" => SpecId::ISTANBUL,
        "Berlin" => SpecId::BERLIN,
        "London" | "ArrowGlacier" | "GrayGlacier" => SpecId::LONDON,
        "Paris" => SpecId::MERGE,
        "Shanghai" => SpecId::SHANGHAI,
        "Cancun" => SpecId::CANCUN,
        _ => panic!("rules {rules} are not known here"),
    }
}

fn read(path: &str) -> Value {
    let raw = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut text = Vec::new();
    if raw.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(raw.as_slice()).read_to_end(&mut text).expect("gzip");
    } else {
        text = raw;
    }
    serde_json::from_slice(&text).expect("JSON")
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap_or_default().trim_start_matches("0x");
    let digits = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    alloy_primitives::hex::decode(digits).expect("hex")
}

/// A hex string or a number; zero where there is none.
fn number(value: &Value) -> U256 {
    match value {
        Value::Number(small) => U256::from(small.as_u64().expect("64 bits")),
        Value::String(text) => U256::from_str(text).expect("a number"),
        _ => U256::ZERO,
    }
}

fn address(value: &Value) -> Address {
    Address::from_slice(&bytes(value))
}

fn hash(value: &Value) -> B256 {
    B256::from_slice(&bytes(value))
}
