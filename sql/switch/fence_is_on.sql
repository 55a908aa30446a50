-- Whether the fence is on. No parameters.
SELECT EXISTS (SELECT FROM his_emergency.fence);
