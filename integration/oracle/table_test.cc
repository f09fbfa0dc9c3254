// Plays table.json against the transcoder in front of the C++ test server, and compares each answer
// with golden.json, which a real grpc-gateway v2.33.0 gave in front of the same server (run.sh).
// Where we mean to differ, the row has a `deviation` with its reason and what we answer instead.

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "common/transcode/transcoder.h"
#include "integration/oracle/server.h"

namespace krypton::oracle {
namespace {

namespace json = boost::json;

std::string SourceDir() {
  return std::string(std::getenv("KRYPTON_SOURCE_DIR")) + "/integration/oracle/";
}

json::array Load(const std::string& name) {
  std::ifstream file(SourceDir() + name);
  std::stringstream text;
  text << file.rdbuf();
  return json::parse(text.str(), {}, {.max_depth = 512}).as_array();
}

std::string Text(const json::value& value) { return std::string(value.as_string()); }

std::string TextAt(const json::value& object, const char* key) {
  const json::value* found = object.as_object().if_contains(key);
  return found == nullptr ? "" : Text(*found);
}

// Numbers by value, since 1e3 is 1000; `"*"` stands for any text that is not empty.
bool Same(const json::value& want, const json::value& got) {
  if (want.is_number() && got.is_number())
    return want.to_number<double>() == got.to_number<double>();
  if (want.kind() != got.kind()) return false;
  if (want.is_string() && want.as_string() == "*") return !got.as_string().empty();
  if (want.is_array()) {
    const json::array& a = want.as_array();
    const json::array& b = got.as_array();
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), Same);
  }
  if (!want.is_object()) return want == got;
  if (want.as_object().size() != got.as_object().size()) return false;
  return std::all_of(want.as_object().begin(), want.as_object().end(), [&](const auto& member) {
    const json::value* other = got.as_object().if_contains(member.key());
    return other != nullptr && Same(member.value(), *other);
  });
}

// The words of an error that the gateway made itself are its own; ours only have to be there.
void Loosen(json::value& value) {
  if (!value.is_object()) return;
  json::object& object = value.as_object();
  if (object.contains("error")) Loosen(object["error"]);
  if (object.contains("code") && object.contains("details")) object["message"] = "*";
}

struct Answer {
  int status = 0;
  std::string content_type;
  // Those that gRPC's metadata made, sorted.
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;
};

std::vector<std::pair<std::string, std::string>> Wanted(
    const std::vector<transcode::Header>& headers) {
  std::vector<std::pair<std::string, std::string>> wanted;
  for (const auto& [name, value] : headers) {
    if (name == "WWW-Authenticate") {
      wanted.emplace_back("Www-Authenticate", value);
    } else if (name.rfind("Grpc-", 0) == 0) {
      wanted.emplace_back(name, value);
    }
  }
  std::sort(wanted.begin(), wanted.end());
  return wanted;
}

Answer Play(const transcode::Transcoder& transcoder, const json::value& row) {
  transcode::Request request;
  request.method = TextAt(row, "method");
  request.target = TextAt(row, "target");
  request.headers = {{"Host", "oracle.test"}};
  if (const json::value* headers = row.as_object().if_contains("headers")) {
    for (const json::value& header : headers->as_array()) {
      request.headers.push_back({Text(header.at(0)), Text(header.at(1))});
    }
  }
  request.body = TextAt(row, "body");
  request.peer = "127.0.0.1";
  transcode::Response response = transcoder.Handle(request);
  Answer answer;
  answer.status = response.status;
  answer.headers = Wanted(response.headers);
  for (const auto& [name, value] : response.headers) {
    if (name == "Content-Type") answer.content_type = value;
  }
  answer.body = response.body;
  while (response.stream != nullptr) {
    transcode::BodyStream::Piece piece = response.stream->Next(std::chrono::seconds(10));
    answer.body += piece.data;
    if (piece.state == transcode::BodyStream::State::kEnd) {
      answer.trailers = Wanted(piece.trailers);
      break;
    }
  }
  return answer;
}

std::vector<std::pair<std::string, std::string>> Pairs(const json::value& object, const char* key) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (const json::value* list = object.as_object().if_contains(key)) {
    for (const json::value& pair : list->as_array())
      pairs.emplace_back(Text(pair.at(0)), Text(pair.at(1)));
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

void CompareBody(json::value want, bool exact, const std::string& body) {
  json::object& object = want.as_object();
  if (object.contains("lines")) {
    std::stringstream lines(body);
    std::string line;
    for (json::value& value : object["lines"].as_array()) {
      ASSERT_TRUE(std::getline(lines, line)) << body;
      if (!exact) Loosen(value);
      json::error_code error;
      const json::value got = json::parse(line, error, {}, {.max_depth = 512});
      EXPECT_TRUE(!error && Same(value, got))
          << "want " << json::serialize(value) << "\ngot  " << line;
    }
    EXPECT_FALSE(std::getline(lines, line)) << "too much: " << line;
  } else if (object.contains("json")) {
    json::value& value = object["json"];
    if (!exact) Loosen(value);
    json::error_code error;
    const json::value got = json::parse(body, error, {}, {.max_depth = 512});
    EXPECT_TRUE(!error && Same(value, got))
        << "want " << json::serialize(value) << "\ngot  " << body;
  } else {
    EXPECT_EQ(TextAt(want, "text"), body);
  }
}

// What is expected in place of the golden answer.
json::value Deviate(const json::value& golden, const json::value& deviation) {
  json::value want = golden;
  json::object& object = want.as_object();
  const json::object& ours = deviation.as_object();
  object["status"] = ours.at("status");
  object["content_type"] = "application/json";
  if (ours.contains("code")) {
    object.erase("text");
    object.erase("lines");
    object["json"] =
        json::object{{"code", ours.at("code")}, {"message", "*"}, {"details", json::array()}};
  }
  for (const char* kind : {"json", "lines"}) {
    if (!ours.contains(kind)) continue;
    object.erase("text");
    object.erase("lines");
    object.erase("json");
    object[kind] = ours.at(kind);
  }
  return want;
}

class TableTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new Server("127.0.0.1:0");
    transcoder_ = new transcode::Transcoder(server_->Connect(), {"krypton.oracle.v1.OracleService"},
                                            {.alias_prefix = ""});
    table_ = new json::array(Load("table.json"));
    golden_ = new json::array(Load("golden.json"));
  }
  static void TearDownTestSuite() {
    delete transcoder_;
    delete server_;
    delete table_;
    delete golden_;
  }

  static Server* server_;
  static transcode::Transcoder* transcoder_;
  static json::array* table_;
  static json::array* golden_;
};

Server* TableTest::server_;
transcode::Transcoder* TableTest::transcoder_;
json::array* TableTest::table_;
json::array* TableTest::golden_;

// One test, not one a row: ctest would start a process for each.
TEST_F(TableTest, EveryRowIsAnsweredAsGrpcGatewayDoes) {
  ASSERT_GE(table_->size(), 150u);
  ASSERT_EQ(table_->size(), golden_->size()) << "run ./dev test transcode-oracle";
  for (size_t i = 0; i < table_->size(); ++i) {
    const json::value& row = table_->at(i);
    SCOPED_TRACE("row \"" + TextAt(row, "name") + "\": " + TextAt(row, "method") + " " +
                 TextAt(row, "target") + "\n" + TextAt(row, "body"));
    json::value want = golden_->at(i);
    ASSERT_EQ(TextAt(row, "name"), TextAt(want, "name")) << "run ./dev test transcode-oracle";
    bool exact = row.as_object().contains("exact");
    if (const json::value* deviation = row.as_object().if_contains("deviation")) {
      EXPECT_FALSE(TextAt(*deviation, "reason").empty());
      want = Deviate(want, *deviation);
    }
    const Answer got = Play(*transcoder_, row);
    EXPECT_EQ(want.at("status").as_int64(), got.status);
    EXPECT_EQ(TextAt(want, "content_type"), got.content_type);
    EXPECT_EQ(Pairs(want, "headers"), got.headers);
    EXPECT_EQ(Pairs(want, "trailers"), got.trailers);
    if (TextAt(row, "method") != "HEAD") CompareBody(want, exact, got.body);
  }
}

}  // namespace
}  // namespace krypton::oracle
