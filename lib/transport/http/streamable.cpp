#include "transport/http/streamable.hpp"

#include "transport/http/http_link.hpp"

#include <utility>

namespace mcp_pool::transport::http {

namespace {

class http_transport final : public transport
{
public:
    explicit http_transport(std::shared_ptr<http_link> link)
        : link_(std::move(link))
    {}
    ~http_transport() override { link_->abandon(); }

    void start() override { link_->start(); }
    // Nothing waits here but for its turn, and as many as max_requests_in_flight allows.
    std::size_t send(std::string line, const message_facts& facts) override
    {
        link_->send(std::move(line), facts);
        return 0;
    }
    bool cancel(std::int64_t id) override { return link_->cancel(id); }
    void stop(stop_step step) override { link_->stop(step); }
    std::function<void()> kill_switch() const override { return {}; }
    std::shared_ptr<const descriptor> pidfd() const override { return nullptr; }
    std::string stderr_tail() const override { return {}; }
    std::size_t resident_bytes() const override { return 0; }
    std::string start_hints() const override { return link_->start_hints(); }

private:
    const std::shared_ptr<http_link> link_;
};

} // namespace

std::unique_ptr<transport> make_http_transport(
    connection_strand strand, transport_events& events, std::shared_ptr<const endpoint> server)
{
    return std::make_unique<http_transport>(
        std::make_shared<http_link>(std::move(strand), events, std::move(server)));
}

} // namespace mcp_pool::transport::http
