#include "transport/stdio.hpp"

#include "transport/stdio_link.hpp"

namespace mcp_pool::transport {

namespace {

class stdio_transport final : public transport
{
public:
    explicit stdio_transport(std::shared_ptr<stdio_link> link)
        : link_(std::move(link))
    {}
    ~stdio_transport() override { link_->abandon(); }

    void start() override { link_->start(); }
    std::size_t send(std::string line, const message_facts&) override
    {
        return link_->send(std::move(line));
    }
    bool begin_burst() override
    {
        link_->begin_burst();
        return true;
    }
    std::size_t end_burst() override { return link_->end_burst(); }
    void stop(stop_step step) override { link_->stop(step); }
    std::function<void()> kill_switch() const override { return link_->kill_switch(); }
    std::shared_ptr<const descriptor> pidfd() const override { return link_->pidfd(); }
    std::string stderr_tail() const override { return link_->stderr_tail(); }
    std::size_t resident_bytes() const override { return link_->resident_bytes(); }
    std::string start_hints() const override { return link_->start_hints(); }

private:
    const std::shared_ptr<stdio_link> link_;
};

} // namespace

std::unique_ptr<transport> make_stdio_transport(connection_strand strand, transport_events& events,
    std::shared_ptr<const stdio_server> server, stdio_limits limits)
{
    ignore_sigpipe_once();
    return std::make_unique<stdio_transport>(
        stdio_link::make(std::move(strand), events, std::move(server), limits));
}

} // namespace mcp_pool::transport
