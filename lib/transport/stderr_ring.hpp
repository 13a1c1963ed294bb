// The last bytes that a server wrote to stderr.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace mcp_pool::transport {

// Keeps the last `capacity` bytes of a stream. Memory grows with what comes, up to the capacity.
//
// Thread safety: none.
class stderr_ring
{
public:
    explicit stderr_ring(std::size_t capacity) noexcept
        : capacity_(capacity)
    {}

    void append(std::string_view bytes)
    {
        if (bytes.size() > capacity_)
            bytes.remove_prefix(bytes.size() - capacity_);
        const std::size_t room = capacity_ - bytes_.size();
        const std::size_t grown = std::min(room, bytes.size());
        bytes_.append(bytes.substr(0, grown));
        for (bytes.remove_prefix(grown); !bytes.empty();) {
            const std::size_t piece = std::min(bytes.size(), capacity_ - oldest_);
            bytes_.replace(oldest_, piece, bytes.substr(0, piece));
            oldest_ = (oldest_ + piece) % capacity_;
            bytes.remove_prefix(piece);
        }
    }

    // What is kept, oldest byte first.
    [[nodiscard]] std::string text() const
    {
        std::string result;
        result.reserve(bytes_.size());
        result.append(bytes_, oldest_);
        result.append(bytes_, 0, oldest_);
        return result;
    }

private:
    std::size_t capacity_;
    std::string bytes_;
    // Where the oldest byte stands; not 0 only when the ring is full.
    std::size_t oldest_ = 0;
};

} // namespace mcp_pool::transport
