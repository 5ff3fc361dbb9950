-- What a competent hand makes of it in Envoy's Lua filter: 80/20, sticky by a cookie that carries the draw, parsed without a
-- pattern per cookie; no salt, no renewal, no counters.
math.randomseed(os.time())

local NAME = "canary-httpbin="

local function cookie_draw(header)
  local from = 1
  while true do
    local at = string.find(header, NAME, from, true)
    if not at then return nil end
    if at == 1 or string.sub(header, at - 2, at - 1) == "; " then
      local draw = string.match(header, "^1%.(%x%x%x%x%x%x%x%x)%.%x%x%x%x%x%x%x", at + #NAME)
      return draw and tonumber(draw, 16)
    end
    from = at + #NAME
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local cookies = headers:get("cookie")
  local draw = cookies and cookie_draw(cookies)
  if not draw then
    draw = math.random(0, 4294967295)
    handle:streamInfo():dynamicMetadata():set("canary", "draw", draw)
  end
  headers:replace("x-canary-subset", draw < 858993459 and "v2" or "v1")
end

function envoy_on_response(handle)
  local canary = handle:streamInfo():dynamicMetadata():get("canary")
  if canary then
    local minutes = math.floor(os.time() / 60)
    handle:headers():add(
      "set-cookie",
      string.format("%s1.%08x.%07x; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", NAME, canary.draw, minutes)
    )
  end
end
