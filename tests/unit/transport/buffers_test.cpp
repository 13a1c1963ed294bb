// The ring of stderr, and the queue of lines on their way into a pipe.
#include "transport/descriptor.hpp"
#include "transport/stderr_ring.hpp"
#include "transport/write_queue.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

#include <fcntl.h>

using namespace mcp_pool::transport;

namespace {

struct pipe_pair
{
    descriptor read;
    descriptor write;

    pipe_pair()
    {
        int fds[2];
        BOOST_REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
        read.reset(fds[0]);
        write.reset(fds[1]);
    }

    std::string take(std::size_t size)
    {
        std::string result(size, '\0');
        const ssize_t got = ::read(read.get(), result.data(), size);
        result.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return result;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(buffers_of_a_transport)

BOOST_AUTO_TEST_CASE(the_ring_keeps_the_end_of_a_stream_however_it_comes)
{
    std::string stream;
    for (int i = 0; i < 300; ++i)
        stream += std::to_string(i);
    for (const std::size_t capacity : {1U, 7U, 64U, 1000U}) {
        for (const std::size_t piece : {1U, 3U, 63U, 64U, 65U, 700U}) {
            stderr_ring ring(capacity);
            for (std::size_t at = 0; at < stream.size(); at += piece)
                ring.append(std::string_view(stream).substr(at, piece));
            const std::size_t kept = std::min(capacity, stream.size());
            BOOST_TEST(ring.text() == stream.substr(stream.size() - kept));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_ring_of_nothing_keeps_nothing)
{
    stderr_ring ring(0);
    ring.append("text");
    BOOST_TEST(ring.text().empty());
}

BOOST_AUTO_TEST_CASE(a_line_that_fits_is_written_at_once)
{
    pipe_pair pipe;
    write_queue queue;
    BOOST_TEST(queue.write(pipe.write.get(), "line\n") == 0);
    BOOST_TEST(queue.waiting() == 0U);
    BOOST_TEST(pipe.take(100) == "line\n");
}

BOOST_AUTO_TEST_CASE(lines_keep_their_order_through_a_full_pipe)
{
    pipe_pair pipe;
    write_queue queue;
    std::string expected(100'000, 'a');
    expected += '\n';
    BOOST_TEST(queue.write(pipe.write.get(), expected) == 0);
    BOOST_TEST(queue.waiting() == expected.size() - 65536);
    for (char c = 'b'; c <= 'z'; ++c) {
        std::string line(5000, c);
        line += '\n';
        expected += line;
        queue.push(line);
    }
    BOOST_TEST(queue.flush(pipe.write.get()) == 0);
    BOOST_TEST(queue.waiting() == expected.size() - 65536);

    std::string received;
    while (received.size() < expected.size()) {
        const std::string piece = pipe.take(7000);
        BOOST_REQUIRE(!piece.empty());
        received += piece;
        BOOST_REQUIRE(queue.flush(pipe.write.get()) == 0);
    }
    BOOST_TEST((received == expected));
    BOOST_TEST(queue.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(a_closed_pipe_is_an_error_and_no_signal)
{
    ::signal(SIGPIPE, SIG_IGN);
    pipe_pair pipe;
    pipe.read.reset();
    write_queue queue;
    BOOST_TEST(queue.write(pipe.write.get(), "line\n") == EPIPE);
    BOOST_TEST(queue.waiting() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
