/* http_nullserver: the cheapest correct MCP server over HTTP, what both clients of the figure call.
 *
 * HTTP/1.1 on a port of 127.0.0.1 that it prints, connections kept alive, every request answered with
 * one JSON document; tool `echo` answers with its message, under the request's own id. Ends when its
 * input ends. */
#define _GNU_SOURCE
#include "json_scan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { most_clients = 256, largest_request = 1 << 20, largest_answer = largest_request + 1024 };

struct client
{
    int fd; /* -1: free */
    size_t size;
    char in[largest_request];
};

static void fail(const char* what)
{
    fprintf(stderr, "http_nullserver: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_on_loopback(unsigned short* port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr*)&address, size) != 0 || listen(fd, 64) != 0
        || getsockname(fd, (struct sockaddr*)&address, &size) != 0) {
        fail("listening");
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* The value of a header field; 0 if it is not there. `head` ends with an empty line. */
static size_t content_length(const char* head, const char* end)
{
    static const char name[] = "\r\nContent-Length:";
    for (const char* p = head; p + sizeof name < end; ++p) {
        if (*p == '\r' && strncasecmp(p, name, sizeof name - 1) == 0) {
            return strtoul(p + sizeof name - 1, NULL, 10);
        }
    }
    return 0;
}

/* The result of a request, as JSON text; NULL: there is no such method. `message` is that of the
 * arguments of a call. */
static const char* result_of(
    struct json_slice method, struct json_slice* message, struct json_slice params)
{
    message->begin = NULL;
    if (json_is(method, "\"tools/call\"")) {
        static const char* const in_params[] = {"arguments"};
        static const char* const in_arguments[] = {"message"};
        struct json_slice arguments = {NULL, 0};
        if (params.begin != NULL) {
            json_members(params.begin, params.begin + params.size, in_params, &arguments, 1);
        }
        if (arguments.begin != NULL) {
            json_members(
                arguments.begin, arguments.begin + arguments.size, in_arguments, message, 1);
        }
        return message->begin != NULL ? "" : NULL;
    }
    if (json_is(method, "\"server/discover\"")) {
        return "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
               "\"capabilities\":{\"tools\":{}},\"ttlMs\":3600000,\"cacheScope\":\"public\"}";
    }
    if (json_is(method, "\"initialize\"")) {
        return "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
               "\"serverInfo\":{\"name\":\"http_nullserver\",\"version\":\"1\"}}";
    }
    if (json_is(method, "\"tools/list\"")) {
        return "{\"resultType\":\"complete\",\"tools\":[{\"name\":\"echo\",\"inputSchema\":"
               "{\"type\":\"object\"}}],\"ttlMs\":3600000,\"cacheScope\":\"public\"}";
    }
    return json_is(method, "\"ping\"") ? "{}" : NULL;
}

/* Writes the answer to one request into `out`, which has room for it; returns its size. */
static size_t answer(const char* head, const char* body, const char* end, char* out)
{
    static const char* const names[] = {"method", "id", "params"};
    struct json_slice found[3], message;
    if (strncmp(head, "POST ", 5) != 0) {
        /* Nothing is said unasked, and there are no sessions to end. */
        return (size_t)sprintf(out, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n");
    }
    json_members(body, end, names, found, 3);
    if (found[0].begin == NULL || found[1].begin == NULL) {
        return (size_t)sprintf(out, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    }
    static char json[largest_answer];
    const char* const result = result_of(found[0], &message, found[2]);
    size_t size = (size_t)sprintf(
        json, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,", (int)found[1].size, found[1].begin);
    if (result == NULL) {
        size += (size_t)sprintf(
            json + size, "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}");
    } else if (message.begin == NULL) {
        size += (size_t)sprintf(json + size, "\"result\":%s}", result);
    } else {
        size += (size_t)sprintf(json + size,
            "\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":%.*s}"
            "]}}",
            (int)message.size, message.begin);
    }
    const size_t head_size = (size_t)sprintf(out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", size);
    memcpy(out + head_size, json, size);
    return head_size + size;
}

/* 0: the connection is of no use any more. */
static int write_all(int fd, const char* data, size_t size)
{
    while (size > 0) {
        const ssize_t put = write(fd, data, size);
        if (put < 0 && errno != EINTR) {
            return 0;
        }
        data += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
    }
    return 1;
}

/* Reads once and answers what is complete; 0: the connection has ended. */
static int serve(struct client* c)
{
    static char out[largest_answer];
    const ssize_t got = read(c->fd, c->in + c->size, sizeof c->in - 1 - c->size);
    if (got <= 0) {
        return got < 0 && errno == EINTR;
    }
    c->size += (size_t)got;
    const char* begin = c->in;
    const char* const end = c->in + c->size;
    for (;;) {
        const char* const blank = memmem(begin, (size_t)(end - begin), "\r\n\r\n", 4);
        if (blank == NULL) {
            break;
        }
        const char* const body = blank + 4;
        const size_t length = content_length(begin, body);
        if ((size_t)(end - body) < length) {
            break;
        }
        if (!write_all(c->fd, out, answer(begin, body, body + length, out))) {
            return 0;
        }
        begin = body + length;
    }
    c->size = (size_t)(end - begin);
    memmove(c->in, begin, c->size);
    /* A request that does not fit is not answered. */
    return c->size < sizeof c->in - 1;
}

static void watch(int events, int fd, void* who)
{
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = who};
    if (epoll_ctl(events, EPOLL_CTL_ADD, fd, &wanted) != 0) {
        fail("epoll_ctl");
    }
}

static void welcome(int events, int listener, struct client** clients)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    for (int i = 0; i < most_clients; ++i) {
        if (clients[i] == NULL) {
            clients[i] = malloc(sizeof *clients[i]);
            if (clients[i] == NULL) {
                fail("memory");
            }
            clients[i]->fd = -1;
        }
        if (clients[i]->fd == -1) {
            const int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            clients[i]->fd = fd;
            clients[i]->size = 0;
            watch(events, fd, clients[i]);
            return;
        }
    }
    close(fd);
}

int main(int argc, char** argv)
{
    static struct client* clients[most_clients];
    static char listening, input; /* who has no connection */
    if (argc > 1) {
        fputs("Usage: http_nullserver\n"
              "A do-nothing MCP server over HTTP on 127.0.0.1; prints its port, ends with its "
              "input.\n",
            strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    unsigned short port;
    const int listener = listen_on_loopback(&port);
    const int events = epoll_create1(EPOLL_CLOEXEC);
    if (events < 0) {
        fail("epoll_create1");
    }
    watch(events, listener, &listening);
    watch(events, STDIN_FILENO, &input);
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event ready[16];
        const int count = epoll_wait(events, ready, 16, -1);
        for (int i = 0; i < count; ++i) {
            void* const who = ready[i].data.ptr;
            char ignored[64];
            if (who == &listening) {
                welcome(events, listener, clients);
            } else if (who == &input) {
                if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0) {
                    return 0;
                }
            } else if (!serve(who)) {
                close(((struct client*)who)->fd);
                ((struct client*)who)->fd = -1;
            }
        }
    }
}
