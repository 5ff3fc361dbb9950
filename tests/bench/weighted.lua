-- 80/20 by request, in Envoy's Lua filter.
math.randomseed(os.time())

function envoy_on_request(handle)
  handle:headers():replace("x-canary-subset", math.random(0, 4294967295) < 858993459 and "v2" or "v1")
end
