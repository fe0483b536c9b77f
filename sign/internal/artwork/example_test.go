package artwork_test

import (
	"fmt"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/internal/artwork"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// The appearance of a stamp is a form XObject made of three parts.
func ExampleAppend() {
	scheme, err := serial.NewScheme('T', "QA", [32]byte{1})
	if err != nil {
		fmt.Println(err)
		return
	}
	number, err := scheme.Number(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	symbol, err := seal.NewSymbol("HTTPS://STAMP.EXAMPLE/S/1234567890")
	if err != nil {
		fmt.Println(err)
		return
	}
	width, height := artwork.DefaultSize(symbol.Size())
	content, err := artwork.Append(nil, &artwork.Input{
		Width: width, Height: height,
		Symbol: symbol, Serial: number,
		Figures: "10000", Words: artwork.Words(10000),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	form := fmt.Sprintf("<</Type/XObject/Subtype/Form/BBox[0 0 %.2f %.2f]/Resources %s/Length %d>>",
		width, height, artwork.Resources(), len(content))
	fmt.Println(form[:61])
	// Output:
	// <</Type/XObject/Subtype/Form/BBox[0 0 88.58 46.89]/Resources
}
