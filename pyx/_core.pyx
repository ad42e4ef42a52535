# cython: language_level=3, boundscheck=True, wraparound=False, cdivision=True, embedsignature=False, binding=True
# distutils: language = c++
"""evmcore's compiled half: the floors of the machine, in order.

Everything below `state.pxi` and `api.pxi` runs without the GIL. See ARCHITECTURE.md.
"""
cimport cython
from cython.operator cimport dereference as deref
from libc.stdint cimport INT64_MAX, SIZE_MAX, UINT64_MAX, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

import evmcore.errors as errors

include "interpreter.pxi"
include "authorizations.pxi"
include "message.pxi"
include "transaction.pxi"
include "block.pxi"
include "convert.pxi"
include "tables.pxi"
include "codes.pxi"
include "base_tracer.pxi"
include "time_limit.pxi"
include "lease.pxi"
include "hashes.pxi"
include "letting_go.pxi"
include "roots.pxi"
include "proofs.pxi"
include "state_trie.pxi"
include "local.pxi"
include "state_codec.pxi"
include "state_rows.pxi"
include "state_given.pxi"
include "state_owner.pxi"
include "state_lookup.pxi"
include "state.pxi"
include "state_use.pxi"
include "changes.pxi"
include "block_access_list.pxi"
include "transaction_face.pxi"
include "ethash.pxi"
include "caches.pxi"
include "block_hashes.pxi"
include "recorded.pxi"
include "parallel.pxi"
include "context.pxi"
include "receipts.pxi"
include "results.pxi"
include "lazy.pxi"
include "tracing.pxi"
include "trace_log.pxi"
include "auto.pxi"
include "predicted.pxi"
include "witness.pxi"
include "block_face.pxi"
include "api.pxi"
include "given_precompiles.pxi"
include "kept_message.pxi"
include "simulated_items.pxi"
include "simulate.pxi"
include "fixtures.pxi"
include "probe.pxi"
