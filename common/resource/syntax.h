// The shapes that names and values of a manifest must have, as Kubernetes defines them. Pure
// predicates over text; IsDnsLabel is in key.h.
#pragma once

#include <optional>
#include <string_view>

namespace krypton::resource {

// Dots between DNS labels, at most 253 characters (RFC 1123).
bool IsDnsSubdomain(std::string_view text);
// `[prefix/]name` of a label or an annotation.
bool IsQualifiedName(std::string_view text);
// Empty, or at most 63 of letters, digits, '-', '_' and '.', alphanumeric at both ends.
bool IsLabelValue(std::string_view text);
// Letters, digits, '_', '-' and '.', no digit first.
bool IsEnvName(std::string_view text);
// A token (RFC 9110 §5.6.2).
bool IsHeaderName(std::string_view text);
// An absolute path with an optional query, of characters that a request line may have.
bool IsRequestPath(std::string_view text);
// ASCII without white space and control characters.
bool IsPrintable(std::string_view text);
bool HasControl(std::string_view text);
// A Kubernetes quantity that is not negative ("500m", "1Gi", "2e3"): at most 15 digits before the
// point and 9 behind it, then a suffix, or an exponent of two digits.
bool IsQuantity(std::string_view text);
// The same as a number; nothing when it is none.
std::optional<double> ParseQuantity(std::string_view text);
// `krypton.ai/...`: the mesh's own.
bool IsReservedName(std::string_view qualified_name);
// Labels that Krypton sets on pods and selects them by, beside its own prefix.
bool IsReservedLabel(std::string_view name);

}  // namespace krypton::resource
