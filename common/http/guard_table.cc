// Long, because it is a table.
#include "common/http/guard_table.h"

#include <string_view>
#include <utility>

namespace krypton::http::testing {
namespace {

using namespace std::string_literals;

// A request of "GET / HTTP/1.1", a good Host, and these lines.
std::string Get(const std::string& lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
}
std::string Post(const std::string& lines, const std::string& body = "") {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body;
}
std::string Chunked(const std::string& body) {
  return Post("Transfer-Encoding: chunked\r\n", body);
}
std::string Line(const std::string& line) { return line + "\r\nHost: a\r\n\r\n"; }
std::string WithHost(const std::string& host) {
  return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

using Rows = std::vector<GuardRow>;

// clang-format off
void AddRequestLines(Rows& rows) {
  rows.insert(rows.end(), {
    {"get", Line("GET / HTTP/1.1"), 200, "GET / a "},
    {"target is passed as received", Line("GET /a%2Fb/../c//d?x=%20&y HTTP/1.1"), 200, "GET /a%2Fb/../c//d?x=%20&y a "},
    {"head", Line("HEAD / HTTP/1.1"), 200, ""},
    {"delete", Line("DELETE /x HTTP/1.1"), 200, "DELETE /x a "},
    {"patch", Line("PATCH /x HTTP/1.1"), 200, "PATCH /x a "},
    {"options path", Line("OPTIONS /x HTTP/1.1"), 200, "OPTIONS /x a "},
    {"options star", Line("OPTIONS * HTTP/1.1"), 200, "OPTIONS * a "},
    {"propfind", Line("PROPFIND / HTTP/1.1"), 200, "PROPFIND / a "},
    {"get star", Line("GET * HTTP/1.1"), 400, ""},
    {"connect authority", Line("CONNECT a:443 HTTP/1.1"), 501, ""},
    {"connect path", Line("CONNECT / HTTP/1.1"), 501, ""},
    {"unknown method", Line("BREW / HTTP/1.1"), 501, ""},
    {"lower case method", Line("get / HTTP/1.1"), 501, ""},
    {"method with a bad byte", Line("GE(T / HTTP/1.1"), 400, ""},
    {"no method", Line(" / HTTP/1.1"), 400, ""},
    {"no target", Line("GET HTTP/1.1"), 400, ""},
    {"empty target", Line("GET  HTTP/1.1"), 400, ""},
    {"no version", Line("GET /"), 400, ""},
    {"two spaces before target", Line("GET  / HTTP/1.1"), 400, ""},
    {"two spaces before version", Line("GET /  HTTP/1.1"), 400, ""},
    {"space at the end", Line("GET / HTTP/1.1 "), 400, ""},
    {"space in front", Line(" GET / HTTP/1.1"), 400, ""},
    {"space in target", Line("GET /a b HTTP/1.1"), 400, ""},
    {"tab instead of space", Line("GET\t/ HTTP/1.1"), 400, ""},
    {"tab in target", Line("GET /a\tb HTTP/1.1"), 400, ""},
    {"version 0.9", Line("GET / HTTP/0.9"), 505, ""},
    {"version 1.2", Line("GET / HTTP/1.2"), 505, ""},
    {"version 2.0", Line("GET / HTTP/2.0"), 505, ""},
    {"h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, ""},
    {"version lower case", Line("GET / http/1.1"), 400, ""},
    {"version with more digits", Line("GET / HTTP/1.10"), 400, ""},
    {"version of another protocol", Line("GET / ICE/1.0"), 400, ""},
    {"no leading slash", Line("GET a HTTP/1.1"), 400, ""},
    {"fragment", Line("GET /a#b HTTP/1.1"), 400, ""},
    {"control byte in target", Line("GET /\x01 HTTP/1.1"), 400, ""},
    {"DEL in target", Line("GET /\x7f HTTP/1.1"), 400, ""},
    {"NUL in target", Line("GET /\0a HTTP/1.1"s), 400, ""},
    {"utf-8 in target", Line("GET /\xc3\xa4 HTTP/1.1"), 400, ""},
    {"absolute form", Line("GET http://b/x?y HTTP/1.1"), 200, "GET /x?y b "},
    {"absolute form with port", Line("GET http://b:81/ HTTP/1.1"), 200, "GET / b:81 "},
    {"absolute form without path", Line("GET http://b HTTP/1.1"), 200, "GET / b "},
    {"absolute form https", Line("GET HTTPS://b/x HTTP/1.1"), 200, "GET /x b "},
    {"absolute form options", Line("OPTIONS http://b HTTP/1.1"), 200, "OPTIONS * b "},
    {"absolute form query only", Line("GET http://b?x HTTP/1.1"), 400, ""},
    {"absolute form userinfo", Line("GET http://u:p@b/ HTTP/1.1"), 400, ""},
    {"absolute form empty authority", Line("GET http:///x HTTP/1.1"), 400, ""},
    {"absolute form bad port", Line("GET http://b:x/ HTTP/1.1"), 400, ""},
    {"absolute form other scheme", Line("GET ftp://b/ HTTP/1.1"), 400, ""},
    {"absolute form without host", "GET http://b/ HTTP/1.1\r\n\r\n", 400, ""},
    {"target of 8 KiB", Line("GET /" + std::string(8191, 'a') + " HTTP/1.1"), 200, "GET /" + std::string(8191, 'a') + " a "},
    {"target above 8 KiB", Line("GET /" + std::string(8192, 'a') + " HTTP/1.1"), 414, ""},
    {"target far above 8 KiB", Line("GET /" + std::string(30000, 'a') + " HTTP/1.1"), 414, ""},
    {"one empty line in front", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "GET / a "},
    {"two empty lines in front", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
    {"bare LF in front", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
    {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400, ""},
    {"garbage", "\xff\xfe\xfd\xfc", 400, ""},
  });
}

void AddLineEnds(Rows& rows) {
  rows.insert(rows.end(), {
    {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, ""},
    {"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, ""},
    {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, ""},
    {"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400, ""},
    {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, ""},
    {"CR CR LF after a field", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400, ""},
    {"bare CR in a value", Get("X: a\rb\r\n"), 400, ""},
    {"bare CR in a name", Get("X\ra: b\r\n"), 400, ""},
    {"bare CR in the target", Line("GET /\ra HTTP/1.1"), 400, ""},
    {"obs-fold with space", Get("X: a\r\n b\r\n"), 400, ""},
    {"obs-fold with tab", Get("X: a\r\n\tb\r\n"), 400, ""},
    {"obs-fold of the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, ""},
    {"obs-fold with only a blank", Get("X: a\r\n \r\n"), 400, ""},
    {"obs-fold of transfer-encoding", Post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400, ""},
  });
}

void AddFields(Rows& rows) {
  rows.insert(rows.end(), {
    {"empty value", Get("X:\r\n"), 200, "GET / a "},
    {"blank value", Get("X:   \r\n"), 200, "GET / a "},
    {"no blank after the colon", Get("X:y\r\n"), 200, "GET / a "},
    {"tabs around a value", Get("X:\t y\t \r\n"), 200, "GET / a "},
    {"latin-1 in a value", Get("X: \xe4\r\n"), 200, "GET / a "},
    {"every token byte in a name", Get("!#$%&'*+-.^_`|~09azAZ: y\r\n"), 200, "GET / a "},
    {"space before the colon", Get("X : y\r\n"), 400, ""},
    {"tab before the colon", Get("X\t: y\r\n"), 400, ""},
    {"space in a name", Get("X Y: z\r\n"), 400, ""},
    {"no colon", Get("X\r\n"), 400, ""},
    {"empty name", Get(": y\r\n"), 400, ""},
    {"bad byte in a name", Get("X(: y\r\n"), 400, ""},
    {"utf-8 in a name", Get("X\xc3\xa4: y\r\n"), 400, ""},
    {"NUL in a value", Get("X: a\0b\r\n"s), 400, ""},
    {"NUL in a name", Get("X\0: b\r\n"s), 400, ""},
    {"control byte in a value", Get("X: a\x01z\r\n"), 400, ""},
    {"VT in a value", Get("X: a\x0bz\r\n"), 400, ""},
    {"DEL in a value", Get("X: a\x7fz\r\n"), 400, ""},
    {"ESC in a value", Get("X: a\x1bz\r\n"), 400, ""},
    {"too many fields", Get([] { std::string s; for (int i = 0; i < 300; ++i) s += "X: y\r\n"; return s; }()), 431, ""},
    {"one field above 64 KiB", Get("X: " + std::string(70000, 'a') + "\r\n"), 431, ""},
    {"many fields above 64 KiB", Get([] { std::string s; for (int i = 0; i < 70; ++i) s += "X: " + std::string(1000, 'a') + "\r\n"; return s; }()), 431, ""},
    {"field of 60 KiB", Get("X: " + std::string(60000, 'a') + "\r\n"), 200, "GET / a "},
    {"unknown expectation", Post("Content-Length: 0\r\nExpect: 200-ok\r\n"), 417, ""},
  });
}

void AddHosts(Rows& rows) {
  rows.insert(rows.end(), {
    {"host with port", WithHost("a:80"), 200, "GET / a:80 "},
    {"host address", WithHost("127.0.0.1:8080"), 200, "GET / 127.0.0.1:8080 "},
    {"host IPv6", WithHost("[::1]:8080"), 200, "GET / [::1]:8080 "},
    {"host with underscore", WithHost("a_b.c"), 200, "GET / a_b.c "},
    {"no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, ""},
    {"no field at all", "GET / HTTP/1.1\r\n\r\n", 400, ""},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, ""},
    {"two equal hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, ""},
    {"empty host", WithHost(""), 400, ""},
    {"host with space", WithHost("a b"), 400, ""},
    {"host with path", WithHost("a/b"), 400, ""},
    {"host with userinfo", WithHost("u@a"), 400, ""},
    {"host list", WithHost("a, b"), 400, ""},
    {"host with query", WithHost("a?b"), 400, ""},
    {"host with fragment", WithHost("a#b"), 400, ""},
    {"host with backslash", WithHost("a\\b"), 400, ""},
    {"host with bad port", WithHost("a:b"), 400, ""},
    {"host with port above 65535", WithHost("a:65536"), 400, ""},
    {"host with two ports", WithHost("a:1:2"), 400, ""},
    {"host port only", WithHost(":80"), 400, ""},
    {"host empty port", WithHost("a:"), 400, ""},
    {"host open bracket", WithHost("[::1"), 400, ""},
    {"host bad literal", WithHost("[a]"), 400, ""},
    {"host utf-8", WithHost("\xc3\xa4"), 400, ""},
    {"1.0 without host", "GET / HTTP/1.0\r\n\r\n", 200, "GET /  "},
    {"1.0 with host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", 200, "GET / a "},
    {"1.0 with two hosts", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, ""},
  });
}

void AddLengths(Rows& rows) {
  const auto length = [](const std::string& value, const std::string& body = "hello") {
    return Post("Content-Length: " + value + "\r\n", body);
  };
  rows.insert(rows.end(), {
    {"length", length("5"), 200, "POST /p a hello"},
    {"length zero", length("0", ""), 200, "POST /p a "},
    {"length with leading zeros", length("005"), 200, "POST /p a hello"},
    {"length with blanks around", length("  5  "), 200, "POST /p a hello"},
    {"length before a tab", length("5\t"), 400, ""},
    {"post without length", Post(""), 200, "POST /p a "},
    {"get with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 200, "GET / a hi"},
    {"1.0 with length", "POST /p HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 200, "POST /p  hello"},
    {"length empty", length(""), 400, ""},
    {"length list", length("5, 5"), 400, ""},
    {"length plus", length("+5"), 400, ""},
    {"length minus", length("-5"), 400, ""},
    {"length hex", length("0x5"), 400, ""},
    {"length two numbers", length("5 6"), 400, ""},
    {"length fraction", length("5.0"), 400, ""},
    {"length with letters", length("5a"), 400, ""},
    {"length overflow", length("18446744073709551621"), 400, ""},
    {"length of 19 digits", length("9999999999999999999"), 400, ""},
    {"length beyond the body limit", length("999999999999999999"), 413, ""},
    {"two lengths that differ", Post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), 400, ""},
    {"two equal lengths", Post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, ""},
    {"length and transfer-encoding", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, ""},
    {"transfer-encoding and length", Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, ""},
    {"length zero and transfer-encoding", Post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, ""},
  });
}

void AddCodings(Rows& rows) {
  const auto coding = [](const std::string& value) {
    return Post("Transfer-Encoding:" + value + "\r\n", "0\r\n\r\n");
  };
  rows.insert(rows.end(), {
    {"chunked", coding(" chunked"), 200, "POST /p a "},
    {"chunked in capitals", coding(" CHUNKED"), 200, "POST /p a "},
    {"chunked without blank", coding("chunked"), 200, "POST /p a "},
    {"chunked and a blank", coding(" chunked "), 200, "POST /p a "},
    {"coding empty", coding(""), 400, ""},
    {"coding gzip", coding(" gzip"), 400, ""},
    {"coding identity", coding(" identity"), 400, ""},
    {"coding xchunked", coding(" xchunked"), 400, ""},
    {"coding chunkedx", coding(" chunkedx"), 400, ""},
    {"coding with a parameter", coding(" chunked;q=1"), 400, ""},
    {"coding quoted", coding(" \"chunked\""), 400, ""},
    {"coding gzip, chunked", coding(" gzip, chunked"), 501, ""},
    {"coding chunked, gzip", coding(" chunked, gzip"), 400, ""},
    {"coding chunked twice", coding(" chunked, chunked"), 400, ""},
    {"coding chunked, identity", coding(" chunked, identity"), 400, ""},
    {"coding with a comma", coding(" chunked,"), 400, ""},
    {"coding after a tab", coding("\tchunked"), 400, ""},
    {"coding after a VT", coding("\x0b"s + "chunked"), 400, ""},
    {"coding before a VT", coding(" chunked\x0b"), 400, ""},
    {"coding with a space inside", coding(" chun ked"), 400, ""},
    {"two codings", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, ""},
    {"two different codings", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), 400, ""},
    {"coding in HTTP/1.0", "POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
    {"coding's name with a space", Post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400, ""},
    {"coding's name with underscore is another field", Post("Transfer_Encoding: chunked\r\n"), 200, "POST /p a "},
  });
}

void AddChunks(Rows& rows) {
  rows.insert(rows.end(), {
    {"one chunk", Chunked("5\r\nhello\r\n0\r\n\r\n"), 200, "POST /p a hello"},
    {"several chunks", Chunked("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 200, "POST /p a hello"},
    {"size in capitals", Chunked("A\r\n0123456789\r\n0\r\n\r\n"), 200, "POST /p a 0123456789"},
    {"size with leading zeros", Chunked("0005\r\nhello\r\n000\r\n\r\n"), 200, "POST /p a hello"},
    {"size of 16 digits", Chunked("0000000000000005\r\nhello\r\n0\r\n\r\n"), 200, "POST /p a hello"},
    {"extension", Chunked("5;a=b\r\nhello\r\n0;x\r\n\r\n"), 200, "POST /p a hello"},
    {"quoted extension", Chunked("5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n"), 200, "POST /p a hello"},
    {"trailer", Chunked("5\r\nhello\r\n0\r\nX: y\r\n\r\n"), 200, "POST /p a hello"},
    {"size of 17 digits", Chunked("00000000000000005\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size of 2^64-1", Chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size overflow to five", Chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size empty", Chunked("\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size negative", Chunked("-5\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size plus", Chunked("+5\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size with 0x", Chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size not hex", Chunked("g\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size after a space", Chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size before a space", Chunked("5 \r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size before a tab and an extension", Chunked("5\t;a\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size line ends in LF", Chunked("5\nhello\r\n0\r\n\r\n"), 400, ""},
    {"size line ends in CR", Chunked("5\rhello\r\n0\r\n\r\n"), 400, ""},
    {"data too long", Chunked("5\r\nhello!\r\n0\r\n\r\n"), 400, ""},
    {"data ends in LF", Chunked("5\r\nhello\n0\r\n\r\n"), 400, ""},
    {"data without end", Chunked("5\r\nhello0\r\n\r\n"), 400, ""},
    {"last chunk ends in LF", Chunked("5\r\nhello\r\n0\n\r\n"), 400, ""},
    {"end in LF", Chunked("5\r\nhello\r\n0\r\n\n"), 400, ""},
    {"NUL in an extension", Chunked("5;a\0b\r\nhello\r\n0\r\n\r\n"s), 400, ""},
    {"LF in an extension", Chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"CR in an extension", Chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"extensions above 16 KiB", Chunked("5;" + std::string(17000, 'a') + "\r\nhello\r\n0\r\n\r\n"), 413, ""},
    {"trailers above 16 KiB", Chunked("0\r\nX: " + std::string(17000, 'a') + "\r\n\r\n"), 413, ""},
    {"trailer without colon", Chunked("0\r\nX\r\n\r\n"), 400, ""},
    {"trailer folded", Chunked("0\r\nX: a\r\n b\r\n\r\n"), 400, ""},
    {"trailer with space before the colon", Chunked("0\r\nX : a\r\n\r\n"), 400, ""},
    {"trailer with a bare CR", Chunked("0\r\nX: a\rb\r\n\r\n"), 400, ""},
    {"trailer with NUL", Chunked("0\r\nX: a\0b\r\n\r\n"s), 400, ""},
  });
}

// clang-format on
}  // namespace

std::vector<GuardRow> GuardTable() {
  Rows rows;
  AddRequestLines(rows);
  AddLineEnds(rows);
  AddFields(rows);
  AddHosts(rows);
  AddLengths(rows);
  AddCodings(rows);
  AddChunks(rows);
  return rows;
}

}  // namespace krypton::http::testing
