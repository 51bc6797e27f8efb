// SPDX-License-Identifier: Apache-2.0
using System.IO;
using Segue;
using Segue.Wire;
using UnityEditor.AssetImporters;

namespace SegueEditor
{
    /// <summary>
    /// Makes a <see cref="SoundtrackAsset"/> of what `segue build` wrote. Files that end in .segue are its own; .json is Unity's,
    /// and is taken over file by file: see <see cref="SoundtrackFiles"/>.
    /// </summary>
    [ScriptedImporter(1, new[] { "segue" }, new[] { "json" })]
    public sealed class SoundtrackImporter : ScriptedImporter
    {
        public override void OnImportAsset(AssetImportContext ctx)
        {
            SoundtrackAsset asset;
            try
            {
                asset = SoundtrackAsset.Create(File.ReadAllText(ctx.assetPath));
            }
            catch (MalformedException error)
            {
                ctx.LogImportError(ctx.assetPath + ": " + error.Message + ". `segue build` writes such files");
                return;
            }
            ctx.AddObjectToAsset("soundtrack", asset);
            ctx.SetMainObject(asset);
        }
    }
}
