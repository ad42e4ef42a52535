// The parts of RLP that need not be inlined: reading a prefix, and closing a list that has grown.
#include "rlp.hpp"

namespace evmcore {

Status RlpReader::peek(RlpItem* item) const noexcept {
    if (at_ == end_)
        return Status::RLP_TOO_FEW_FIELDS;
    const size_t left = remaining_bytes();
    const uint8_t first = *at_;
    item->is_list = first >= 0xc0;
    if (first < 0x80) {
        item->payload = item->whole = {at_, 1};
        return Status::SUCCESS;
    }
    const uint8_t base = item->is_list ? 0xc0 : 0x80;
    size_t header = 1;
    uint64_t size = static_cast<uint64_t>(first - base);
    if (size > 55) {
        const size_t digits = size - 55;  // 1 to 8
        header += digits;
        if (header > left)
            return Status::RLP_TRUNCATED;
        size = 0;
        for (size_t i = 1; i < header; ++i)
            size = size << 8 | at_[i];
        if (at_[1] == 0 || size < 56)
            return Status::RLP_NON_CANONICAL;
    }
    if (size > left - header)  // header <= left, so this can't wrap; adding to `size` could
        return Status::RLP_TRUNCATED;
    if (first == 0x81 && at_[1] < 0x80)
        return Status::RLP_NON_CANONICAL;
    item->payload = {at_ + header, static_cast<size_t>(size)};
    item->whole = {at_, header + static_cast<size_t>(size)};
    return Status::SUCCESS;
}

Status RlpReader::next_number(size_t max_bytes, ByteView* digits) noexcept {
    RlpItem item;
    const Status status = peek(&item);
    if (status != Status::SUCCESS)
        return status;
    if (item.is_list)
        return Status::RLP_EXPECTED_STRING;
    if (!item.payload.empty() && item.payload[0] == 0)
        return Status::RLP_LEADING_ZEROS;
    if (item.payload.size > max_bytes)
        return Status::RLP_NUMBER_TOO_LARGE;
    *digits = item.payload;
    at_ = item.whole.end();
    return Status::SUCCESS;
}

Status open_rlp_item(ByteView whole, RlpItem* out) noexcept {
    if (whole.empty())
        return Status::RLP_TRUNCATED;
    const Status status = RlpReader{whole}.peek(out);
    if (status != Status::SUCCESS)
        return status;
    return out->whole.size == whole.size ? Status::SUCCESS : Status::RLP_TRAILING_BYTES;
}

Status open_rlp_list(ByteView whole, RlpReader* out) noexcept {
    RlpItem item;
    const Status status = open_rlp_item(whole, &item);
    if (status != Status::SUCCESS)
        return status;
    if (!item.is_list)
        return Status::RLP_EXPECTED_LIST;
    *out = RlpReader{item.payload};
    return Status::SUCCESS;
}

void RlpWriter::end_list(size_t begin) noexcept {
    if (!is_ok_)
        return;
    const size_t payload_bytes = out_->size() - begin;
    const size_t extra = rlp_header_size(payload_bytes) - 1;
    if (extra != 0) {
        if (grow(extra) == nullptr)
            return;
        std::memmove(out_->data() + begin + extra, out_->data() + begin, payload_bytes);
    }
    rlp_put_header(out_->data() + begin - 1, 0xc0, payload_bytes);
}

}  // namespace evmcore
