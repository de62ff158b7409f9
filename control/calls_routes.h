// The routes of connector calls and of jobs.
#pragma once

#include "control/calls_api.h"
#include "control/router.h"

namespace berth {

void add_call_routes(Router& router, CallsApi& calls);
void add_job_routes(Router& router, JobsApi& jobs);

}  // namespace berth
