// Scenarios: what is done to a pool and what has to happen, as read from a file.
#pragma once

#include <mcp_pool/pool_options.hpp>

#include <boost/json/object.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::scenario {

// What is wrong with a file, and where.
class malformed : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

// One thing that is done. Its members have been checked: those that are read are there, unless they
// may be absent.
class operation
{
public:
    operation(std::string where, boost::json::object members)
        : where_(std::move(where))
        , members_(std::move(members))
    {}

    // For messages: "operations[3]".
    [[nodiscard]] const std::string& where() const noexcept { return where_; }
    [[nodiscard]] std::string verb() const { return text("do"); }
    [[nodiscard]] bool has(std::string_view member) const { return members_.contains(member); }
    // Empty, 0 and false where the member is absent.
    [[nodiscard]] std::string text(std::string_view member) const;
    [[nodiscard]] std::size_t number(std::string_view member) const;
    [[nodiscard]] bool flag(std::string_view member) const;
    [[nodiscard]] duration seconds(std::string_view member) const;
    [[nodiscard]] boost::json::object object(std::string_view member) const;

    // Of "together": what is done without waiting in between.
    std::vector<operation> parts;

private:
    std::string where_;
    boost::json::object members_;
};

struct scenario
{
    std::string name, about;
    pool_overrides options;
    bool modern = false;
    // Against the core alone in virtual time, against a pool with scripted sessions.
    bool for_core = true, for_pool = true;
    std::vector<operation> operations;
    // What an observer is told, in order; see README.md.
    std::vector<std::string> events;
};

// Throws malformed; `name` is for its messages.
scenario parse(std::string_view text, const std::string& name);
scenario load(const std::filesystem::path& file);
// All *.json of a folder, in order of their names.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder);

} // namespace mcp_pool::scenario
