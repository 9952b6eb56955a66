package console

import (
	_ "embed"
	"encoding/json"
)

//go:embed zh-CN.json
var chineseTexts []byte

// catalogue has every text of the console in Chinese, by its English. A test holds it against the pages and the code.
var catalogue = func() map[string]string {
	texts := map[string]string{}
	if err := json.Unmarshal(chineseTexts, &texts); err != nil {
		panic("zh-CN.json: " + err.Error())
	}
	return texts
}()
