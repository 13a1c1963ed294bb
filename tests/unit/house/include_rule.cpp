#include "unit/house/include_rule.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>

namespace mcp_pool::house {
namespace {

constexpr std::array<std::string_view, 10> layers{"metrics", "rpc", "protocol", "transport",
    "session", "pool", "manager", "expose", "gateway", "programs"};

struct inclusion
{
    std::string name;
    std::size_t line = 0;
    bool quoted = false;
};

// Comments are blanked, so that a header may talk about what it does not use.
std::string without_comments(const std::string& text)
{
    std::string code = text;
    for (std::size_t at = 0; (at = code.find("//", at)) != std::string::npos;) {
        const std::size_t end = std::min(code.find('\n', at), code.size());
        std::fill(code.begin() + static_cast<std::ptrdiff_t>(at),
            code.begin() + static_cast<std::ptrdiff_t>(end), ' ');
        at = end;
    }
    return code;
}

std::vector<inclusion> inclusions_of(const std::string& text)
{
    static const std::regex pattern(R"(^\s*#\s*include\s*(["<])([^">]+)[">])");
    std::vector<inclusion> found;
    std::istringstream in(text);
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        std::smatch match;
        if (std::regex_search(line, match, pattern))
            found.push_back({match[2].str(), number, match[1].str() == "\""});
    }
    return found;
}

std::string first_folder(std::string_view path)
{
    return std::string(path.substr(0, path.find('/')));
}

std::optional<std::size_t> rank_of(std::string_view layer)
{
    const auto at = std::find(layers.begin(), layers.end(), layer);
    if (at == layers.end())
        return std::nullopt;
    return static_cast<std::size_t>(at - layers.begin());
}

bool is_public(std::string_view path)
{
    return path.starts_with("include/");
}

// No executor, no clock, no file descriptor: three layers, and the core of the pool, which is what
// lives in a namespace of its own.
bool is_pure(std::string_view path, const std::string& text)
{
    return path.starts_with("lib/metrics/") || path.starts_with("lib/rpc/")
        || path.starts_with("lib/protocol/")
        || text.find("\nnamespace mcp_pool::pooling {") != std::string::npos;
}

std::string file_of(const inclusion& i)
{
    if (i.quoted)
        return "lib/" + i.name;
    return i.name.starts_with("mcp_pool/") ? "include/" + i.name : std::string();
}

// Everything that `path` leads to through our own headers, and by which of them.
std::map<std::string, std::string> reachable(const source_tree& sources, const std::string& path)
{
    std::map<std::string, std::string> by;
    std::vector<std::string> pending{path};
    std::set<std::string> seen{path};
    while (!pending.empty()) {
        const std::string from = pending.back();
        pending.pop_back();
        for (const inclusion& i : inclusions_of(sources.at(from))) {
            by.emplace(i.name, from);
            const std::string next = file_of(i);
            if (sources.contains(next) && seen.insert(next).second)
                pending.push_back(next);
        }
    }
    return by;
}

class checker
{
public:
    explicit checker(const source_tree& sources)
        : sources_(sources)
    {}

    std::vector<std::string> run()
    {
        for (const auto& [path, text] : sources_) {
            // The precompiled header belongs to no layer; it changes no meaning.
            if (path == "lib/precompiled.hpp")
                continue;
            for (const inclusion& i : inclusions_of(text)) {
                if (is_public(path))
                    check_public(path, i);
                else
                    check_private(path, i);
            }
            if (is_pure(path, text))
                check_pure(path, text);
            if (is_public(path))
                check_light(path);
        }
        return std::move(broken_);
    }

private:
    void report(const std::string& path, std::size_t line, const std::string& what)
    {
        broken_.push_back(path + ":" + std::to_string(line) + ": " + what);
    }

    void check_public(const std::string& path, const inclusion& i)
    {
        if (i.quoted)
            report(path, i.line, "a public header includes " + i.name + " of the sources");
        else
            check_outside(path, i);
    }

    void check_private(const std::string& path, const inclusion& i)
    {
        const std::string own = first_folder(std::string_view(path).substr(4));
        if (!rank_of(own)) {
            report(path, i.line, "lib/" + own + " is not a layer");
            return;
        }
        if (!i.quoted) {
            check_outside(path, i);
            return;
        }
        const std::string layer = first_folder(i.name);
        if (!rank_of(layer))
            report(path, i.line, "\"" + i.name + "\" does not begin with a layer");
        else if (*rank_of(layer) > *rank_of(own))
            report(
                path, i.line, own + " may not include " + i.name + ": " + layer + " is above it");
        else if (!sources_.contains("lib/" + i.name))
            report(path, i.line, "there is no lib/" + i.name);
    }

    // Ours, Boost, the standard library, the system. What else comes in is decided in docs/design/.
    void check_outside(const std::string& path, const inclusion& i)
    {
        if (i.name.starts_with("mcp_pool/")) {
            if (!sources_.contains("include/" + i.name))
                report(path, i.line, "there is no include/" + i.name);
            return;
        }
        // See docs/design/0017-checking-with-valijson.md.
        const bool ours = i.name.starts_with("boost/")
            || (i.name.starts_with("valijson/") && path == "lib/session/schema_validator.cpp");
        const bool standard = i.name.find_first_of("/.") == std::string::npos;
        const bool system = i.name.ends_with(".h") && !is_public(path)
            && !is_pure(path, sources_.at(path));
        if (!ours && !standard && !system)
            report(path, i.line, "<" + i.name + "> is no business of this layer");
    }

    void check_pure(const std::string& path, const std::string& text)
    {
        for (const auto& [name, by] : reachable(sources_, path))
            if (name.starts_with("boost/asio"))
                return report(
                    path, 0, "knows no executor, but reaches <" + name + "> through " + by);
        const std::string code = without_comments(text);
        for (const std::string_view word : {"asio::", "_clock::now"})
            if (const auto at = code.find(word); at != std::string::npos)
                report(path,
                    1
                        + static_cast<std::size_t>(std::count(
                            code.begin(), code.begin() + static_cast<std::ptrdiff_t>(at), '\n')),
                    "uses " + std::string(word) + ", which this layer does not know");
    }

    void check_light(const std::string& path)
    {
        for (const auto& [name, by] : reachable(sources_, path))
            for (const std::string_view heavy :
                {"boost/asio/ssl", "boost/beast", "boost/process", "boost/url", "prometheus/"})
                if (name.starts_with(heavy))
                    report(path, 0, "reaches <" + name + "> through " + by);
    }

    const source_tree& sources_;
    std::vector<std::string> broken_;
};

} // namespace

source_tree read_sources(const std::filesystem::path& top)
{
    namespace fs = std::filesystem;
    source_tree sources;
    for (const std::string_view folder : {"include", "lib"}) {
        for (const auto& entry : fs::recursive_directory_iterator(top / folder)) {
            const auto extension = entry.path().extension();
            if (!entry.is_regular_file() || (extension != ".hpp" && extension != ".cpp"))
                continue;
            std::ifstream in(entry.path(), std::ios::binary);
            sources[entry.path().lexically_relative(top).generic_string()] = std::string(
                std::istreambuf_iterator<char>(in), {});
        }
    }
    return sources;
}

std::vector<std::string> broken_rules(const source_tree& sources)
{
    return checker(sources).run();
}

} // namespace mcp_pool::house
