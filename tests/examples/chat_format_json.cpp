// SPDX-License-Identifier: BSL-1.0
#include "chat/format_json.hpp"

#include <nlohmann/json.hpp>

#include "support/catch.hpp"

using namespace chat;
using nlohmann::json;

namespace {

std::string code(std::string const& text) {
  auto const parsed = read_json(text);
  auto const* const wrong = std::get_if<fault>(&parsed);
  return wrong == nullptr ? "" : wrong->code;
}

std::string join_as(std::string const& user) {
  return json{{"type", "join"}, {"channel", "general"}, {"user", user}}.dump();
}

std::string saying(std::string const& text) {
  return json{{"type", "message"}, {"channel", "general"}, {"text", text}}.dump();
}

}  // namespace

TEST_CASE("chat: the requests are understood, with and without their optional fields") {
  auto const joining = std::get<join>(read_json(R"({"type":"join","channel":"general","user":"alice","device":"d1"})"));
  CHECK(joining.channel == "general");
  CHECK(joining.user == "alice");
  CHECK(joining.device == "d1");
  CHECK(std::get<join>(read_json(join_as("bob"))).device.empty());
  CHECK(std::get<leave>(read_json(R"({"type":"leave","channel":"general"})")).channel == "general");
  auto const said = std::get<message>(read_json(R"({"type":"message","channel":"general","text":"Hello!","id":"7"})"));
  CHECK(said.text == "Hello!");
  CHECK(said.id == "7");
  CHECK(std::get<message>(read_json(saying("Hi"))).id.empty());
}

TEST_CASE("chat: a join says what the client has: an epoch and a number of it, both or neither") {
  auto const resuming = std::get<join>(read_json(R"({"type":"join","channel":"x","user":"u","epoch":"e1","seq":41})"));
  CHECK(resuming.epoch == "e1");
  CHECK(resuming.seq == 41);
  CHECK(std::get<join>(read_json(join_as("bob"))).epoch.empty());
  for (auto const* const wrong :
       {R"("epoch":"e1")", R"("seq":3)", R"("epoch":"e1","seq":-1)", R"("epoch":"e1","seq":"3")",
        R"("epoch":"e1","seq":1.5)", R"("epoch":"e1","seq":18446744073709551615)",
        R"("epoch":"e1","seq":9007199254740992)", R"("epoch":7,"seq":3)", R"("epoch":"e1","seq":null)"})
    CHECK(code(R"({"type":"join","channel":"x","user":"u",)" + std::string(wrong) + "}") == "bad_message");
}

TEST_CASE("chat: a page of history is up to 100 messages before a number") {
  auto const plain = std::get<history>(read_json(R"({"type":"history","channel":"x","before":7})"));
  CHECK(plain.before == 7);
  CHECK(plain.limit == 50);
  CHECK(std::get<history>(read_json(R"({"type":"history","channel":"x","before":1,"limit":100})")).limit == 100);
  for (auto const* const wrong : {R"("limit":5)", R"("before":0)", R"("before":7,"limit":0)",
                                  R"("before":7,"limit":101)", R"("before":7,"limit":-1)", R"("before":"7")"})
    CHECK(code(R"({"type":"history","channel":"x",)" + std::string(wrong) + "}") == "bad_message");
  CHECK(std::get<typing>(read_json(R"({"type":"typing","channel":"x"})")).channel == "x");
  CHECK(std::holds_alternative<ping>(read_json(R"({"type":"ping"})")));
}

TEST_CASE("chat: unknown fields are ignored, nested ones too") {
  CHECK(code(R"({"type":"leave","channel":"general","more":{"a":[1,{"b":[[[]]]}]},"n":1e3})").empty());
}

TEST_CASE("chat: broken JSON is an error answer") {
  for (auto const* const text : {"", " ", "{", "}", "{\"type\":", "nul", "{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}",
                                 "{\"type\":\"leave\",\"channel\":\"x\"} more", "{'type':'leave'}"})
    CHECK(code(text) == "bad_json");
}

TEST_CASE("chat: JSON nested without end costs an error answer and no more", "[hazard-21]") {
  CHECK(code(std::string(65536, '[')) == "bad_json");
  CHECK(code(std::string(30000, '[') + std::string(30000, ']')) == "bad_message");
  std::string deep = R"({"type":"leave","channel":)";
  for (int i = 0; i < 10000; ++i) deep += "{\"a\":";
  CHECK(code(deep + "1" + std::string(10001, '}')) == "bad_message");
}

TEST_CASE("chat: what is not an object, or lacks a field, or has one of the wrong type, is an error answer",
          "[hazard-33]") {
  for (auto const* const text :
       {"[]", "1", "null", "\"join\"", "{}", R"({"type":1})", R"({"type":null})", R"({"type":["join"]})",
        R"({"type":"join"})", R"({"type":"auth"})", R"({"type":"auth","token":7})",
        R"({"type":"join","channel":"x","user":3})", R"({"type":"join","channel":"x","user":"u","device":{}})",
        R"({"type":"leave"})", R"({"type":"message","channel":"x"})",
        R"({"type":"message","channel":"x","text":false})", R"({"type":"message","channel":"x","text":"t","id":1})",
        R"({"type":"message","channel":"x","text":"t","id":null})"})
    CHECK(code(text) == "bad_message");
}

TEST_CASE("chat: unknown types are an error answer") {
  CHECK(code(R"({"type":"shout","channel":"general"})") == "unknown_type");
  CHECK(code(R"({"type":""})") == "unknown_type");
  CHECK(code(R"({"type":"JOIN"})") == "unknown_type");
}

TEST_CASE("chat: names are 1 to 64 bytes of visible text") {
  CHECK(code(join_as(std::string(64, 'x'))).empty());
  CHECK(code(join_as("李雷 O'Neil-42")).empty());
  CHECK(code(join_as("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80")).empty());  // an emoji of three code points
  for (std::string const name : {"", " ", " alice", "alice ", "a\nb", "a\tb", "a\x7f", "a\xC2\x85",
                                 "\xE2\x80\xAE"
                                 "ecila",
                                 "a\xE2\x80\x8B", "a\xE2\x81\xA6", "a\xE2\x81\xA0",
                                 "\xEF\xBB\xBF"
                                 "a",
                                 "a\xD8\x9C"})
    CHECK(code(join_as(name)) == "bad_name");
  CHECK(code(join_as(std::string(65, 'x'))) == "bad_name");
  CHECK(code(join_as(std::string("a\0b", 3))) == "bad_name");
  CHECK(code(R"({"type":"leave","channel":""})") == "bad_name");
  CHECK(code(json{{"type", "leave"}, {"channel", std::string(65, 'c')}}.dump()) == "bad_name");
  CHECK(code(R"({"type":"message","channel":"x","text":"t","id":""})") == "bad_name");
  CHECK(code(R"({"type":"join","channel":"x","user":"u","device":""})") == "bad_name");
  CHECK(code(R"({"type":"join","channel":"x","user":""})") == "bad_name");
}

TEST_CASE("chat: texts are 1 to 16384 bytes and not blank") {
  CHECK(code(saying(std::string(16384, 'x'))).empty());
  CHECK(code(saying("\xE2\x80\x8F"
                    "any text goes\n\x01"))
            .empty());
  CHECK(code(saying(std::string(16385, 'x'))) == "bad_text");
  CHECK(code(saying("")) == "bad_text");
  CHECK(code(saying(" \r\n\t ")) == "bad_text");
  CHECK(code(saying(std::string("a\0b", 3))) == "bad_text");  // which no database keeps
}

TEST_CASE("chat: an error answer repeats the channel and id of its request") {
  auto const wrong = std::get<fault>(read_json(R"({"type":"message","channel":"general","id":"7","text":""})"));
  auto const answer = json::parse(write_json(wrong));
  CHECK(answer["type"] == "error");
  CHECK(answer["code"] == "bad_text");
  CHECK(answer["message"] == "\"text\" must not be empty");
  CHECK(answer["channel"] == "general");
  CHECK(answer["id"] == "7");
  auto const bare = json::parse(write_json(std::get<fault>(read_json("{"))));
  CHECK_FALSE(bare.contains("channel"));
  CHECK_FALSE(bare.contains("id"));
}

TEST_CASE("chat: the server's messages are what the protocol says") {
  CHECK(write_json(delivery{"general", {"alice", "7", "Hello!", 3, 1000}}) ==
        R"({"type":"message","channel":"general","user":"alice","text":"Hello!","id":"7","seq":3,"time":1000})");
  CHECK(write_json(ack{"general", "7", 3, 1000}) ==
        R"({"type":"ack","channel":"general","id":"7","seq":3,"time":1000})");
  CHECK(write_json(presence{"general", {"alice", "bob"}, 2}) ==
        R"({"type":"presence","channel":"general","users":["alice","bob"],"count":2})");
  CHECK(write_json(somebody_types{"general", "alice"}) == R"({"type":"typing","channel":"general","user":"alice"})");
  CHECK(write_json(authenticated{"alice", 1000}) == R"({"type":"auth","user":"alice","expires":1000})");
  CHECK(write_json(reload{"general"}) == R"({"type":"reload","channel":"general"})");
  CHECK(write_json(pong{}) == R"({"type":"pong"})");
}

TEST_CASE("chat: a history says what it is the end of, what it continues, or what it comes before") {
  using enum read_request::from;
  page const found{"e1", 5, {{"alice", "7", "\"\n", 5, 2}}, true};
  std::string const messages = R"("messages":[{"user":"alice","text":"\"\n","id":"7","seq":5,"time":2}]})";
  CHECK(write_json(history_page{{newest, 0, "general", 0, 50}, found}) ==
        R"({"type":"history","channel":"general","epoch":"e1","seq":5,"more":true,)" + messages);
  CHECK(write_json(history_page{{after, 0, "general", 4, 300}, found}) ==
        R"({"type":"history","channel":"general","epoch":"e1","after":4,"seq":5,)" + messages);
  CHECK(write_json(history_page{{before, 0, "general", 6, 50}, found}) ==
        R"({"type":"history","channel":"general","epoch":"e1","before":6,"more":true,)" + messages);
}
