// Who holds a lease, for handlers: where they run and what they are told.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace mcp_pool::detail {

struct grant_record;

// Functions that are called one after the other, in order, on an executor. Bounded: what does not fit
// is not called.
//
// Thread safety: everything.
class notice_queue : public std::enable_shared_from_this<notice_queue>
{
public:
    static constexpr std::size_t max_waiting = 256;
    // Of the messages that the functions hold; one larger message may wait alone.
    static constexpr std::size_t max_bytes = std::size_t{1} << 20;

    explicit notice_queue(asio::any_io_executor executor)
        : executor_(std::move(executor))
    {}

    // False if it is full, or if there is no memory to call `notice`, which holds `bytes`.
    [[nodiscard]] bool push(std::function<void()> notice, std::size_t bytes) noexcept;

private:
    struct entry
    {
        std::function<void()> notice;
        std::size_t bytes;

        entry(std::function<void()> n, std::size_t b)
            : notice(std::move(n))
            , bytes(b)
        {}
    };

    void post_next();
    void call_next();

    const asio::any_io_executor executor_;
    std::mutex mutex_;
    std::deque<entry> waiting_;
    std::size_t bytes_ = 0;
    // call_next() is posted or runs.
    bool busy_ = false;
};

// Made at the acquire where the server has handlers; lives in its grant as long as the lease.
struct lessee
{
    lessee(asio::any_io_executor ex, std::string key, std::shared_ptr<void> users)
        : executor(std::move(ex))
        , isolation_key(std::move(key))
        , context(std::move(users))
        , notices(std::make_shared<notice_queue>(executor))
    {}

    // Of whoever acquired the lease; not counted as work.
    const asio::any_io_executor executor;
    const std::string isolation_key;
    const std::shared_ptr<void> context;
    const std::shared_ptr<notice_queue> notices;
};

// Of the lease that is out on the grant; null where the server has no handlers. Precondition: called
// by the holder of the lease.
std::shared_ptr<const lessee> lessee_of(const grant_record& grant) noexcept;

} // namespace mcp_pool::detail
