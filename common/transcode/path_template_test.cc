#include "common/transcode/path_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"

namespace krypton::transcode {
namespace {

using testing::ElementsAre;
using testing::Optional;

PathTemplate Template(absl::string_view text) {
  absl::StatusOr<PathTemplate> parsed = PathTemplate::Parse(text);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *std::move(parsed);
}

std::optional<std::vector<std::string>> Match(absl::string_view text, absl::string_view path) {
  const std::vector<absl::string_view> segments = absl::StrSplit(path.substr(1), '/');
  return Template(text).Match(segments);
}

TEST(PathTemplateTest, VariablesTakeWhatTheirSegmentsTake) {
  EXPECT_THAT(Match("/v1/{a}/x/{b}", "/v1/1/x/2"), Optional(ElementsAre("1", "2")));
  EXPECT_THAT(Match("/v1/{a=x/*}/{b=**}", "/v1/x/1/2/3"), Optional(ElementsAre("x/1", "2/3")));
}

TEST(PathTemplateTest, OneStarTakesAnEmptySegment) {
  EXPECT_THAT(Match("/v1/{a}", "/v1/"), Optional(ElementsAre("")));
  EXPECT_EQ(Match("/v1/{a}", "/v1"), std::nullopt);
}

TEST(PathTemplateTest, TwoStarsTakeNothingToo) {
  EXPECT_THAT(Match("/v1/{a=**}", "/v1"), Optional(ElementsAre("")));
  EXPECT_THAT(Match("/v1/{a=x/**}", "/v1/x"), Optional(ElementsAre("x/")));
}

TEST(PathTemplateTest, TwoStarsLeaveWhatFollowsThem) {
  EXPECT_THAT(Match("/v1/{a=**}/end", "/v1/x/y/end"), Optional(ElementsAre("x/y")));
  EXPECT_EQ(Match("/v1/{a=**}/end", "/v1/x/y"), std::nullopt);
}

TEST(PathTemplateTest, AVerbNeedsSomethingBeforeIt) {
  EXPECT_THAT(Match("/v1/{a}:go", "/v1/x:go"), Optional(ElementsAre("x")));
  EXPECT_EQ(Match("/v1/{a}:go", "/v1/:go"), std::nullopt);
  EXPECT_EQ(Match("/v1/{a}:go", "/v1/x"), std::nullopt);
  EXPECT_THAT(Match("/v1/agents:watch", "/v1/agents:watch"), Optional(ElementsAre()));
}

TEST(PathTemplateTest, WrongTemplatesAreRefused) {
  for (const char* text : {"", "v1", "/", "/v1/", "/v1//x", "/{", "/{a", "/{}", "/{a=}", "/{1a}",
                           "/{a={b}}", "/{a}x", "/x{a}", "/{a=**}/**", "/v1:", "/{a..b}", "/a}"}) {
    EXPECT_FALSE(PathTemplate::Parse(text).ok()) << text;
  }
}

TEST(PathTemplateTest, OpenApiNamesVariablesAlone) {
  EXPECT_EQ(Template("/v1/{a.b=x/*/**}/*:go").OpenApiPath(), "/v1/{a.b}/*:go");
}

TEST(PathTemplateTest, OverlapMeansThatAPathFitsBoth) {
  EXPECT_TRUE(Template("/v1/{a}").Overlaps(Template("/v1/x")));
  EXPECT_TRUE(Template("/v1/{a=**}").Overlaps(Template("/v1/x/y")));
  EXPECT_FALSE(Template("/v1/{a}").Overlaps(Template("/v1/x/y")));
  EXPECT_FALSE(Template("/v1/{a}:go").Overlaps(Template("/v1/{a}")));
  EXPECT_FALSE(Template("/v1/x/{a}").Overlaps(Template("/v1/{a}/status/x")));
}

}  // namespace
}  // namespace krypton::transcode
