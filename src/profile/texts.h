/* The texts of profiles/, compiled in (tools/embed). Layer: profile, private to it. */
#pragma once

#define PROFILE(name) extern const char profile_text_##name[];
#include "profile/profiles.def"
#undef PROFILE
