// Writes down what became of each test case, for whoever counts cases over all programs.
//
// With MCP_POOL_CASE_LOG=<directory> every case leaves two lines in <directory>/<program>.tsv:
// "start" before it runs and its outcome after, so that a crash or a kill can be told from a pass
// whatever happens to the program. Each line is one append: no descriptor stays open that a test of
// descriptors would find, and a forked child has no buffer to write twice.

#include <boost/test/framework.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/tree/global_fixture.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace {

namespace ut = boost::unit_test;

std::string one_line(std::string text)
{
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    return text;
}

// Registers itself with the framework, before main().
class case_log : public ut::global_configuration
{
public:
    void test_start(ut::counter_t, ut::test_unit_id) override
    {
        // A forked test that execs this program again must not write into the same file.
        const char* directory = std::getenv("MCP_POOL_CASE_LOG");
        if (!directory || !*directory)
            return;
        const std::filesystem::path program(ut::framework::master_test_suite().argv[0]);
        path_ = std::filesystem::path(directory) / program.filename();
        path_ += ".tsv";
        ::unsetenv("MCP_POOL_CASE_LOG");
    }

    void test_unit_start(const ut::test_unit& unit) override
    {
        if (unit.p_type == ut::TUT_CASE)
            write("start", unit, "");
    }

    // Called after the collector has its results: observers finish in the reverse order.
    void test_unit_finish(const ut::test_unit& unit, unsigned long) override
    {
        if (unit.p_type != ut::TUT_CASE)
            return;
        const bool passed = ut::results_collector.results(unit.p_id).passed();
        write(passed ? "passed" : "failed", unit, "");
    }

    // A skipped suite skips every case in it.
    void test_unit_skipped(const ut::test_unit& unit, ut::const_string reason) override
    {
        skipped_cases each(*this, std::string(reason.begin(), reason.end()));
        ut::traverse_test_tree(unit, each, true);
    }

private:
    class skipped_cases : public ut::test_tree_visitor
    {
    public:
        skipped_cases(case_log& log, std::string reason)
            : log_(log)
            , reason_(std::move(reason))
        {}

        void visit(const ut::test_case& unit) override { log_.write("skipped", unit, reason_); }

    private:
        case_log& log_;
        std::string reason_;
    };

    void write(std::string_view what, const ut::test_unit& unit, std::string_view reason)
    {
        if (path_.empty())
            return;
        std::string line(what);
        line += '\t';
        line += one_line(unit.full_name());
        line += '\t';
        line += one_line(std::string(reason));
        line += '\n';
        const int file = ::open(
            path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
        const bool written = file >= 0
            && ::write(file, line.data(), line.size()) == ::ssize_t(line.size());
        if (file >= 0)
            ::close(file);
        if (!written)
            throw ut::framework::setup_error("cannot write " + path_.string());
    }

    std::filesystem::path path_;
};

case_log the_case_log;

} // namespace
